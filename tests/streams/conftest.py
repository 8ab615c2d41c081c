"""Readers that a test starts, and that are stopped when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.mailbox import Mailbox, Policy
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from tests.streams.scripted import CAMERA, SOON, Make, Scripted


@pytest.fixture
def readers() -> Iterator[list[StreamReader]]:
    """Readers put in here are stopped at the end."""
    made: list[StreamReader] = []
    yield made
    for reader in made:
        reader.stop(0)
    assert all(reader.stop(10) for reader in made)


@pytest.fixture
def run(readers: list[StreamReader]) -> Make:
    """Starts a reader of a scripted source, or of any address, and gives it with its mailbox."""

    def make(
        source: Scripted | str,
        policy: Policy = "oldest",
        /,
        **options: object,
    ) -> tuple[StreamReader, Mailbox]:
        mailbox = Mailbox(1000, policy)
        url = source if isinstance(source, str) else CAMERA if source.live else "clip.mp4"
        known: dict[str, object] = {"fps": 1000, "backoff": SOON, "reachable": lambda address: True}
        if isinstance(source, Scripted):
            known["opener"] = source
        chosen = ReaderOptions(**(known | options))  # type: ignore[arg-type]
        reader = StreamReader(url, name="cam", mailbox=mailbox, options=chosen)
        readers.append(reader)
        reader.start()
        return reader, mailbox

    return make
