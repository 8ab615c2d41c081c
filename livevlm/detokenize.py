"""Detokenizer: ids in one by one, whole characters out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_UNFINISHED = "\ufffd"
# A character is at most four bytes, so at most four byte-level tokens; bytes that still make none by then are no character at
# all.
_PATIENCE = 4


class Detokenizer:
    """Text of a growing list of ids, in pieces that never end inside a character.

    A token's text can depend on those before it, so a short tail is decoded together and only what is new is given out.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._given = 0  # ids whose text was given out
        self._tail = 0  # where the ids begin that are decoded together with the new ones

    def push(self, id_: int) -> str:
        """Add an id; the text that it completes, often empty."""
        self._ids.append(id_)
        waiting = len(self._ids) - self._given
        text = self._fresh()
        if text.endswith(_UNFINISHED) and waiting < _PATIENCE:
            return ""
        return self._give(text)

    def end(self) -> str:
        """What is left when no more ids come; an unfinished character shows as U+FFFD."""
        return self._give(self._fresh())

    def _fresh(self) -> str:
        before = self._decode(self._ids[self._tail : self._given])
        return self._decode(self._ids[self._tail :])[len(before) :]

    def _give(self, text: str) -> str:
        self._tail, self._given = self._given, len(self._ids)
        return text
