"""Explain: the errors of libav turned into those of this room, with a way out and without credentials."""

from __future__ import annotations

import errno
import os
import re
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
    SourceBusy,
    SourceCorrupt,
    SourceNotFound,
    SourceTimedOut,
    StreamError,
)
from streams.patience import patience_s
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
# More than one @, or one behind what ends a host: maybe a part of a password was read as the host.
_UNENCODED = re.compile(r"://([^/?#]*[@:][^@]*[/?#].*@|[^/]*@[^/]*@)")
# What makes a file unreadable that is not in the file.
_FAILING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
# Where the system asks people, program by program.
_ALLOW = "; allow this program the camera, or the screen, in the system's privacy settings"
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
    expired = opening and took_s >= 0.9 * min(options.open_timeout_s, options.read_timeout_s)
    if isinstance(error, _SLOW) or (address.kind == "network" and expired):
        return _timed_out(address, options, opening)
    if address.kind == "network":
        return _explain_network(error, address)
    if address.kind == "file":
        return _explain_file(error, address)
    if address.kind == "pipe":
        return _explain_pipe(error, address)
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
        # Opening is made of reads: whichever time is up first ends it.
        shorter = min(("open_timeout_s", "read_timeout_s"), key=lambda name: getattr(options, name))
        waited = f"no answer within {getattr(options, shorter):g} s"
        return SourceTimedOut(f"{address.shown}: {waited}; check host and port, or raise {shorter}")
    waited = f"nothing came for {patience_s(address, options):g} s"
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
        return AddressUnsupported(
            f"{shown}: {address.scheme}:// is not in this build of libav; install PyAV built with it, or let a "
            f"program that has it pass it on: `ffmpeg -i {address.scheme}://... -c copy -f mpegts - | livevlm ...`"
        )
    encode = ""
    if _UNENCODED.search(address.target):
        encode = "; where user or password have @ / : ? or # in them, percent-encode those (@ is %40, / is %2F)"
    return ConnectionFailed(
        f"{shown}: {_reason(error)}; check that it is on, and its host and port{encode}"
    )


def _explain_file(error: Exception, address: Address) -> StreamError:
    shown = address.shown
    if isinstance(error, _ABSENT):
        return SourceNotFound(f"{shown}: there is no such file; check the path")
    if isinstance(error, IsADirectoryError):
        return SourceNotFound(
            f"{shown} is a folder; give the path of a video file, or dir:{shown} for its pictures"
        )
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


def _explain_pipe(error: Exception, address: Address) -> StreamError:
    shown = address.shown
    if isinstance(error, _UNDECODABLE):
        return CodecUnsupported(f"{shown}: its video cannot be decoded here; send it as H.264")
    if address.format and not isinstance(error, av.FFmpegError):
        return AddressUnsupported(f"{shown}: libav has no format {address.format!r}")
    return SourceCorrupt(
        f"{shown} holds no video that can be read; MP4 with its index at the end cannot be: give MPEG-TS, "
        "Matroska or fragmented MP4, and raw video with its format, as pipe:?format=h264"
    )


def _explain_device(error: Exception, address: Address) -> StreamError:
    shown, reason = address.shown, _reason(error)
    if isinstance(error, PermissionError):
        group = "; add this user to the group `video`" if address.format == "v4l2" else ""
        return ConnectionFailed(f"{shown} may not be read{group or _ALLOW}")
    if getattr(error, "errno", None) == errno.EBUSY:
        return SourceBusy(f"{shown} is in use; close the other program that reads it")
    if address.format == "x11grab":
        return ConnectionFailed(
            f"{shown}: the X display {address.target} cannot be grabbed ({reason}); "
            "set DISPLAY, or write screen::0 for display :0"
        )
    if isinstance(error, _ABSENT):
        return SourceNotFound(
            f"{shown}: there is no {address.target}; `ls /dev/video*` lists devices"
        )
    if address.format == "v4l2":
        return ConnectionFailed(f"{shown} cannot be opened: {reason}; check that it is a camera")
    return ConnectionFailed(
        f"{shown} cannot be opened: {reason}; check that it is there and free{_ALLOW}"
    )


def _is_empty(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0
