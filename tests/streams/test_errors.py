"""The tree of stream errors."""

from __future__ import annotations

from streams import errors
from streams.errors import StreamError

CODES = {
    "STREAM_CONNECTION_FAILED",
    "STREAM_AUTH",
    "STREAM_NOT_FOUND",
    "STREAM_BUSY",
    "STREAM_TIMEOUT",
    "STREAM_STALLED",
    "STREAM_CODEC_UNSUPPORTED",
    "STREAM_NO_VIDEO",
    "STREAM_CORRUPT",
    "STREAM_ENDED",
    "STREAM_ADDRESS_UNSUPPORTED",
}


def test_codes_are_stable_and_each_has_one_class() -> None:
    """Clients and dashboards match on these codes."""
    classes = StreamError.__subclasses__()
    assert {cls.code for cls in classes} == CODES
    assert len(classes) == len(CODES)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The overview that a reader meets first names every class with its code."""
    for cls in StreamError.__subclasses__():
        assert any(
            cls.__name__ in line and cls.code in line
            for line in (errors.__doc__ or "").splitlines()
        )


def test_message_is_what_is_printed() -> None:
    """`message` is for the wire, `str` for logs; they say the same."""
    assert StreamError("cam: gone").message == str(StreamError("cam: gone")) == "cam: gone"
