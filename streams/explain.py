"""Explain: the errors of libav turned into those of this room, with a way out and without credentials."""

from __future__ import annotations

import errno
import os
import stat

import av
import av.error

from streams.address import Address
from streams.errors import (
    AddressUnsupported,
    AuthenticationFailed,
    CodecUnsupported,
    ConnectionFailed,
    NoVideo,
    SourceCorrupt,
    SourceNotFound,
    SourceTimedOut,
    StreamError,
)
from streams.redact import redact
from streams.source import SourceOptions

_REFUSED = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
_ABSENT = (av.error.HTTPNotFoundError, av.error.FileNotFoundError, FileNotFoundError)
_SLOW = (av.error.ExitError, av.error.TimeoutError, TimeoutError)
_UNDECODABLE = (
    av.error.DecoderNotFoundError,
    av.error.PatchWelcomeError,
    av.error.NotImplementedError,
)
# What makes a file unreadable that is not in the file.
_FAILING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
_UNREADABLE = (av.error.InvalidDataError, av.error.DemuxerNotFoundError, UnicodeDecodeError)


def explain(
    error: Exception,
    address: Address,
    options: SourceOptions,
    *,
    opening: bool,
    took_s: float = 0.0,
) -> StreamError:
    """The StreamError to raise from an error of libav, whose own text is cleaned of credentials on the way.

    `opening`: whether it came while opening, after `took_s` seconds, or later while reading.
    """
    _clean(error, address)
    # A server that accepts and never answers comes out of libav as invalid data, when the time is up.
    expired = opening and took_s >= 0.9 * options.open_timeout_s
    if isinstance(error, _SLOW) or (address.kind == "network" and expired):
        return _timed_out(address, options, opening)
    if address.kind == "network":
        return _explain_network(error, address)
    if address.kind == "file":
        return _explain_file(error, address)
    return _explain_device(error, address)


def _clean(error: Exception, address: Address) -> None:
    if not isinstance(error, UnicodeDecodeError):
        error.args = tuple(
            redact(part.replace(address.target, address.shown)) if isinstance(part, str) else part
            for part in error.args
        )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return redact(str(text)).lower()


def _timed_out(address: Address, options: SourceOptions, opening: bool) -> StreamError:
    if opening:
        waited = f"no answer within {options.open_timeout_s:g} s"
        return SourceTimedOut(
            f"{address.shown}: {waited}; check host and port, or raise open_timeout_s"
        )
    waited = f"nothing came for {options.read_timeout_s:g} s"
    return SourceTimedOut(
        f"{address.shown}: {waited}; check camera and network, or raise read_timeout_s"
    )


def _explain_network(error: Exception, address: Address) -> StreamError:
    shown = address.shown
    if isinstance(error, _REFUSED):
        return AuthenticationFailed(
            f"{shown}: user or password was refused; check both "
            "(characters such as @ / : ? # in them must be percent-encoded)"
        )
    if isinstance(error, _ABSENT):
        return SourceNotFound(f"{shown}: the server has no such path; check what follows the host")
    if isinstance(error, _UNDECODABLE):
        return CodecUnsupported(
            f"{shown}: its video cannot be decoded here; set the camera to H.264"
        )
    if isinstance(error, _UNREADABLE):
        return SourceCorrupt(
            f"{shown}: what comes is not a video that can be read; check the address"
        )
    if isinstance(error, av.error.ProtocolNotFoundError):
        return AddressUnsupported(f"{shown}: {address.scheme}:// is not in this build of libav")
    return ConnectionFailed(
        f"{shown}: {_reason(error)}; check that it is on, and its host and port"
    )


def _explain_file(error: Exception, address: Address) -> StreamError:
    shown = address.shown
    if isinstance(error, _ABSENT):
        return SourceNotFound(f"{shown}: there is no such file; check the path")
    if isinstance(error, IsADirectoryError):
        return SourceNotFound(f"{shown} is a folder; give the path of a video file")
    if isinstance(error, PermissionError) and not os.access(address.target, os.R_OK):
        return ConnectionFailed(f"{shown} may not be read; give this user the right to read it")
    if isinstance(error, PermissionError):
        return CodecUnsupported(f"{shown} is protected against copying; give an unprotected file")
    if isinstance(error, _UNDECODABLE):
        return CodecUnsupported(f"{shown}: its video cannot be decoded here; convert it to H.264")
    if _is_empty(address.target):
        return NoVideo(f"{shown} is empty; check that it was written to the end")
    if getattr(error, "errno", None) in _FAILING:
        return ConnectionFailed(f"{shown} cannot be read: {_reason(error)}")
    return SourceCorrupt(f"{shown} is damaged or no video; check that it plays elsewhere")


def _explain_device(error: Exception, address: Address) -> StreamError:
    shown, reason = address.shown, _reason(error)
    if address.kind == "screen":
        return ConnectionFailed(
            f"{shown}: the X display {address.target} cannot be grabbed ({reason}); "
            "set DISPLAY, or write screen::0 for display :0"
        )
    if isinstance(error, _ABSENT):
        return SourceNotFound(
            f"{shown}: there is no {address.target}; `ls /dev/video*` lists devices"
        )
    if isinstance(error, PermissionError):
        return ConnectionFailed(f"{shown} may not be read; add this user to the group `video`")
    if getattr(error, "errno", None) == errno.EBUSY:
        return ConnectionFailed(f"{shown} is in use; close the other program that reads it")
    return ConnectionFailed(f"{shown} cannot be opened: {reason}; check that it is a camera")


def _is_empty(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0
