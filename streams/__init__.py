"""streams: pixels in. From an address to sampled frames, whatever happens to the camera in between.

The door imports what is behind it when it is first asked for: whoever only redacts an address does not load a video decoder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from streams.redact import redact

if TYPE_CHECKING:
    from streams.address import is_live, may_end
    from streams.edition import Edition, edition_of
    from streams.errors import StreamError
    from streams.frame import Frame
    from streams.journal import ReaderStatus
    from streams.mailbox import Mailbox, Policy
    from streams.open import open_source
    from streams.place import Place
    from streams.reader import StreamReader
    from streams.reading import ReaderOptions
    from streams.recording import Recording
    from streams.sampler import Sampler
    from streams.source import Source, SourceOptions

__all__ = [
    "Edition",
    "Frame",
    "Mailbox",
    "Place",
    "Policy",
    "ReaderOptions",
    "ReaderStatus",
    "Recording",
    "Sampler",
    "Source",
    "SourceOptions",
    "StreamError",
    "StreamReader",
    "edition_of",
    "is_live",
    "may_end",
    "open_source",
    "redact",
]

_HOMES = {
    "Edition": "edition",
    "Frame": "frame",
    "Mailbox": "mailbox",
    "Place": "place",
    "Policy": "mailbox",
    "ReaderOptions": "reading",
    "ReaderStatus": "journal",
    "Recording": "recording",
    "Sampler": "sampler",
    "Source": "source",
    "SourceOptions": "source",
    "StreamError": "errors",
    "StreamReader": "reader",
    "edition_of": "edition",
    "is_live": "address",
    "may_end": "address",
    "open_source": "open",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'streams' has no attribute {name!r}")
        value = getattr(import_module(f"streams.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
