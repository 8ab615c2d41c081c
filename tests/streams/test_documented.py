"""docs/streams.md names every source and every error there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.address import ACCEPTED, NETWORK, parse_address
from streams.errors import AddressUnsupported, StreamError

TEXT = (Path(__file__).parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def errors_below(cls: type[StreamError]) -> set[type[StreamError]]:
    found = set(cls.__subclasses__())
    return found.union(*(errors_below(one) for one in found))


def test_every_error_has_its_code_and_a_way_out() -> None:
    """What a user meets can be looked up, and nothing that there is no more."""
    documented = {code.strip("`"): way_out for code, _, way_out in rows("Errors")}
    assert set(documented) == {cls.code for cls in {StreamError, *errors_below(StreamError)}}
    assert all(documented.values())


def test_every_address_that_is_shown_is_one() -> None:
    """The examples can be copied, and are live where the table says so."""
    for name, addresses, live, _ in rows("Sources"):
        for example in re.findall(r"`([^`]+)`", addresses):
            address = parse_address(example.replace("...", "camera/main"), platform="linux")
            if live in ("yes", "no"):
                assert address.live == (live == "yes"), (name, example)


def test_every_kind_of_address_is_shown() -> None:
    """In the table, and in what the error for an unknown one lists."""
    shown = " ".join(cells[1] for cells in rows("Sources"))
    for scheme in (*NETWORK, "file", "dir", "pipe", "webcam", "screen", "test"):
        assert f"{scheme}:" in shown, scheme
    with pytest.raises(AddressUnsupported) as caught:
        parse_address("gopher://h/x")
    assert ACCEPTED in caught.value.message
    for scheme in NETWORK:
        assert scheme.removesuffix("s") in ACCEPTED


def test_the_sections_others_refer_to_are_there() -> None:
    """Headings are addresses, too."""
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert {"Sources", "Looking at a source", "Errors", "Life of a stream", "Cost"} <= set(headings)
