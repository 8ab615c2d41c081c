"""Opening: how libav is told to open each kind of address."""

from __future__ import annotations

import sys
import time

import av
import av.error
from av.container import InputContainer

from streams.address import Address
from streams.bounds import DECODER_OPTIONS
from streams.errors import ConnectionFailed, NoVideo, SourceNotFound
from streams.explain import explain
from streams.patience import is_playlist, patience_s
from streams.pipe import nothing_came, take_stdin
from streams.source import SourceOptions

MICROSECONDS = 1_000_000
# By default libav watches for seconds to measure a frame rate: it took 5.8 s to open a camera of 5 fps.
AT_ONCE = {"analyzeduration": "100000", "fpsprobesize": "0"}
# A live playlist is joined at its newest segment, for what came before is not now.
_PLAYLIST = {"live_start_index": "-1", **AT_ONCE}
# What a playlist from the network may lead to: never to files of this machine.
_WEB = "http,https,tls,tcp,crypto,data,httpproxy"


def open_container(address: Address, options: SourceOptions) -> InputContainer:
    """The opened container. StreamError where it cannot be opened."""
    if address.kind == "pipe":
        return _open_pipe(address, options)
    if address.format == "x11grab" and not _can_grab():
        raise ConnectionFailed(
            f"{address.shown}: no screen can be grabbed here, for OpenCV was loaded before PyAV; import av first"
        )
    began = time.monotonic()
    timed = address.kind == "network"
    try:
        return av.open(
            _target(address),
            "r",
            format=address.format or None,
            options=container_options(address, options) | DECODER_OPTIONS,
            metadata_errors="replace",
            timeout=(options.open_timeout_s, patience_s(address, options)) if timed else None,
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        took_s = time.monotonic() - began
        raise explain(error, address, options, opening=True, took_s=took_s) from error


def _can_grab() -> bool:
    """Whether OpenCV was not loaded before PyAV; streams.opencv says what happens otherwise."""
    loaded = list(sys.modules)
    return "cv2" not in loaded or loaded.index("av") < loaded.index("cv2")


def _open_pipe(address: Address, options: SourceOptions) -> InputContainer:
    taken = take_stdin(options.cancelled)
    told = container_options(address, options) | DECODER_OPTIONS
    try:
        return av.open(taken, "r", address.format or None, told, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, av.FFmpegError) and nothing_came(taken):
            raise NoVideo(f"{address.shown} is empty; check what should write to it") from error
        raise explain(error, address, options, opening=True) from error


def container_options(address: Address, options: SourceOptions) -> dict[str, str]:
    """What libav is told, by its own names."""
    if address.kind in ("webcam", "screen"):
        return address.options | AT_ONCE
    if address.kind == "pipe":
        return AT_ONCE if address.live else {}
    if address.kind != "network":
        return {}
    patience = str(round(patience_s(address, options) * MICROSECONDS))
    if address.scheme in ("rtsp", "rtsps"):
        return {
            "rtsp_transport": options.rtsp_transport,
            "allowed_media_types": "video",
            "timeout": patience,
            **AT_ONCE,
        }
    if address.scheme not in ("http", "https"):
        return {"rw_timeout": patience, **AT_ONCE}
    web = {"rw_timeout": patience, "protocol_whitelist": _WEB}
    if not address.live:
        return web | {"reconnect": "1", "reconnect_on_network_error": "1"}
    return web | {"fpsprobesize": "0"} | (_PLAYLIST if is_playlist(address) else {})


def _target(address: Address) -> str:
    """The address as libav takes it; DirectShow's webcams are counted first where one was named by its number."""
    if address.format != "dshow" or not address.target.isdecimal():
        return address.target
    found = [
        device for device in av.enumerate_input_devices("dshow") if "video" in device.media_types
    ]
    number = int(address.target)
    if number >= len(found):
        raise SourceNotFound(
            f"{address.shown}: there are {len(found)} webcams; the first is webcam:0"
        )
    return f"video={found[number].name}"
