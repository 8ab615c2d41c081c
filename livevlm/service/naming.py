"""Which stream a question is about: the one it names, the session's, or the only one there is."""

from __future__ import annotations

from collections.abc import Sequence

from livevlm.errors import StreamNotFound
from livevlm.service.fields import InvalidRequest, shown

NAMES_SHOWN = 20
PARAM = "response.livevlm.streams"


def choose_stream(asked: str | None, names: Sequence[str], *, param: str = PARAM) -> str:
    """The stream meant among `names`. Raises InvalidRequest that lists them, where it cannot be told."""
    if asked is not None:
        return known_stream(asked, names, param=param)
    if not names:
        raise _not_found("there are no streams to ask about", param)
    if len(names) > 1:
        way = "livevlm.streams, on the command line -s NAME"
        raise InvalidRequest(f"say which stream is meant ({way}): {listing(names)}", param=param)
    return names[0]


def known_stream(name: str, names: Sequence[str], *, param: str) -> str:
    """`name`, if it is among `names`. Raises InvalidRequest (`stream_not_found`) that lists them."""
    if name in names:
        return name
    there = f"there are: {listing(names)}" if names else "there are none"
    raise _not_found(f"there is no stream {shown(name)}; {there}", param)


def listing(names: Sequence[str]) -> str:
    """Names for people, cut where they get too many."""
    more = len(names) - NAMES_SHOWN
    return ", ".join([*names[:NAMES_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _not_found(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code=StreamNotFound.code, kind=StreamNotFound.kind)
