"""streams: pixels in. From an address to sampled frames, whatever happens to the camera in between."""

from __future__ import annotations

from streams.address import is_live
from streams.errors import StreamError
from streams.frame import Frame
from streams.journal import ReaderStatus
from streams.mailbox import Mailbox
from streams.open import open_source
from streams.probe import ProbeReport, StampReport, probe
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.recording import Recording
from streams.redact import redact
from streams.sampler import Sampler
from streams.source import Source, SourceOptions

__all__ = [
    "Frame",
    "Mailbox",
    "ProbeReport",
    "ReaderOptions",
    "ReaderStatus",
    "Recording",
    "Sampler",
    "Source",
    "SourceOptions",
    "StampReport",
    "StreamError",
    "StreamReader",
    "is_live",
    "open_source",
    "probe",
    "redact",
]
