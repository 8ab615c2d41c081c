"""Keeper: appends to a memory and to its files, and goes on where the files cannot be written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from livevlm.errors import ConfigError
from memory import ArchiveError, KVBlock, StateFolder, StreamMemory, TimeSpan

logger = logging.getLogger(__name__)


class Keeper:
    """Keeps one stream's memory on disk. A disk that is full, or gone, stops no stream: it is said once, and again when
    it has passed.
    """

    def __init__(self, stream: str, state: StateFolder) -> None:
        self._stream, self._state = stream, state
        self._repairs = 0
        self.error = ""

    @property
    def note(self) -> Mapping[str, Any] | None:
        """What was noted with the newest block."""
        return self._state.note

    def append(
        self,
        memory: StreamMemory,
        block: KVBlock,
        pictures: Mapping[int, bytes],
        note: Mapping[str, Any] | None = None,
    ) -> None:
        """Journal the block and the note with it, append it, and take a snapshot if it is time."""
        error = ""
        self._state.note = note
        try:
            self._state.journal(memory.appended, block)
        except OSError as failure:
            error = str(failure)
        memory.append(block, pictures)
        try:
            self._state.settle(memory)
        except (OSError, ArchiveError) as failure:
            error = str(failure)
        self._say(error or memory.archive_error or self._state.gap)

    def forget(self, memory: StreamMemory, span: TimeSpan) -> None:
        """Erase a span of stream seconds from the memory, and then all older files, which may hold it.

        Raises OSError or ArchiveError where that fails; then it may be tried again.
        """
        memory.forget(span)
        self._state.snapshot(memory, alone=True)

    def tidy(self, memory: StreamMemory) -> bool:
        """Have the memory do a bit of what the next question would wait for, and say what of it was found spoilt; False where
        there is nothing to do.
        """
        worked = memory.tidy()
        self.tell_repairs(memory)
        return worked

    def tell_repairs(self, memory: StreamMemory) -> None:
        """Say what of the memory was not as it should be, once each."""
        repairs = memory.repairs
        for repair in repairs[self._repairs :]:
            logger.warning("stream %s: %s", self._stream, repair)
        self._repairs = len(repairs)

    def begin(self, memory: StreamMemory, note: Mapping[str, Any] | None) -> None:
        """Something else is going to be shown than what was noted last: have that on disk before it."""
        if note != self.note:
            self.mark(memory, note)

    def mark(self, memory: StreamMemory, note: Mapping[str, Any] | None) -> None:
        """Note something else about the newest block, and take a snapshot."""
        self._state.note = note
        error = ""
        try:
            self._state.snapshot(memory)
        except (OSError, ArchiveError) as failure:
            error = str(failure)
        self._say(error or memory.archive_error or self._state.gap)

    def close(self, memory: StreamMemory, *, note: bool = True) -> None:
        """A last snapshot, so that the next start replays nothing. note: whether what was noted is kept."""
        if not note:
            self._state.note = None
        try:
            self._state.close(memory)
        except (OSError, ArchiveError) as failure:
            self._say(str(failure))

    def leave(self) -> None:
        """Let go of the files as they are."""
        self._state.leave()

    def _say(self, error: str) -> None:
        if bool(error) == bool(self.error):
            return
        self.error = error
        if error:
            logger.error(
                "stream %s: what it shows from now on is remembered, but would not outlive the daemon: %s",
                self._stream,
                error,
            )
        else:
            logger.info("stream %s: its memory is on disk again", self._stream)


def restored(stream: str, folder: Path, memory: StreamMemory, clock: Callable[[], float]) -> Keeper:
    """The keeper of an empty memory, which it has filled with what the folder holds.

    Raises ConfigError where that cannot be used.
    """
    try:
        state = StateFolder(folder, clock=clock)
        blocks = state.restore(memory)
    except (OSError, ArchiveError) as error:
        raise ConfigError(
            f"the memory of {stream} in {folder} cannot be used: {error}; free some space, make the folder "
            "writable, or set another server.state_dir"
        ) from error
    for repair in state.repairs:
        logger.warning("stream %s: %s", stream, repair)
    keeper = Keeper(stream, state)
    keeper.tell_repairs(memory)
    newest = memory.newest()
    if newest is not None:
        logger.info(
            "stream %s: remembers up to %.1f s of the stream; %d chunks came from the journal",
            stream,
            newest.stream_s,
            blocks,
        )
    return keeper
