"""What goes wrong with a stream, one tree.

StreamError
├── ConnectionFailed     STREAM_CONNECTION_FAILED     nobody answers there, or the connection broke
├── AuthenticationFailed STREAM_AUTH                  the source wants other credentials
├── SourceNotFound       STREAM_NOT_FOUND             nothing is there: a path, a file, a device
├── SourceBusy           STREAM_BUSY                  another program or stream reads it
├── SourceTimedOut       STREAM_TIMEOUT               connected, but silent for too long
├── SourceStalled        STREAM_STALLED               data comes, but no picture does
├── CodecUnsupported     STREAM_CODEC_UNSUPPORTED     pictures that cannot be decoded here
├── NoVideo              STREAM_NO_VIDEO              there is something, but no picture in it
├── SourceCorrupt        STREAM_CORRUPT               not a video, or too damaged to be read
├── SourceEnded          STREAM_ENDED                 a live source stopped sending
└── AddressUnsupported   STREAM_ADDRESS_UNSUPPORTED   not an address that frames can be read from

The codes are stable. A message names the source without its credentials, what is wrong with it, and the way out.
"""

from __future__ import annotations


class StreamError(Exception):
    """Any error of a source that is explained to the user. `code` is stable; `message` holds no credentials."""

    code = "STREAM_FAILED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectionFailed(StreamError):
    """Nobody answers at the address, or the connection broke."""

    code = "STREAM_CONNECTION_FAILED"


class AuthenticationFailed(StreamError):
    """The source wants other credentials."""

    code = "STREAM_AUTH"


class SourceNotFound(StreamError):
    """Nothing is there: a wrong path, a missing file or device."""

    code = "STREAM_NOT_FOUND"


class SourceBusy(StreamError):
    """Another program, or another stream, reads it already: a webcam, standard input."""

    code = "STREAM_BUSY"


class SourceTimedOut(StreamError):
    """The source took longer to open, or to send the next packet, than it was given."""

    code = "STREAM_TIMEOUT"


class SourceStalled(StreamError):
    """The source sends data, but no picture for too long."""

    code = "STREAM_STALLED"


class CodecUnsupported(StreamError):
    """The pictures are in a form that cannot be decoded here."""

    code = "STREAM_CODEC_UNSUPPORTED"


class NoVideo(StreamError):
    """The source can be read, but holds no picture."""

    code = "STREAM_NO_VIDEO"


class SourceCorrupt(StreamError):
    """The source is not a video, or too damaged to be read."""

    code = "STREAM_CORRUPT"


class SourceEnded(StreamError):
    """A live source stopped sending."""

    code = "STREAM_ENDED"


class AddressUnsupported(StreamError):
    """The address is not one that frames can be read from."""

    code = "STREAM_ADDRESS_UNSUPPORTED"
