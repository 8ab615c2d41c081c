"""What docs/streams.md says of a stream's life is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from streams.ledger import REASONS
from streams.life import STATES, table_text

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")


def first_column(head: str) -> list[str]:
    """The names in the first column of the table with this head."""
    table = TEXT.partition(f"| {head} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)


def test_the_table_of_states_is_the_one_in_the_code() -> None:
    """Put in between the marks what `streams.life.table_text()` gives."""
    shown = TEXT.partition("<!-- life:begin -->\n")[2].partition("\n<!-- life:end -->")[0]
    assert shown == table_text()


def test_every_state_and_every_reason_is_explained() -> None:
    """In the code's order, and none that there is not."""
    assert first_column("state") == list(STATES)
    assert first_column("reason") == list(REASONS)
