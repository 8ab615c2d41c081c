"""Address: what a user writes to name a source, taken apart."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.devices import Device, is_webcam, screen, webcam
from streams.errors import AddressUnsupported
from streams.redact import redact

Kind = Literal["file", "network", "webcam", "screen", "test", "folder", "pipe"]

NETWORK = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https")
_OTHERS = ("file", "webcam", "screen", "test", "dir", "pipe")
# All that can be written, as messages and settings' descriptions say it.
ACCEPTED = (
    "a file's path, rtsp(s)://, rtmp(s)://, srt://, http(s)://, dir:FOLDER, webcam:0, /dev/video0,"
    " screen:, - (standard input) or test:"
)
_SCHEME = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_STDIN = re.compile(r"(-|pipe:[0-]?)(\?(?P<query>.*))?", re.IGNORECASE)
_YES = ("1", "true", "yes")
_RECORDINGS = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ogv .mpg .mpeg .wmv .3gp .jpg .jpeg .png".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where frames come from.

    target: what is opened; it may hold credentials. shown: the same for people, without them. live: whether pictures come when
    they happen, as far as the address tells. parameters: what was asked for after the question mark of an address that is not
    the network's. format: libav's name for the kind of device, or for what a pipe holds where that was said. options: what
    libav is told of a device.
    """

    kind: Kind
    target: str = field(repr=False)
    shown: str
    live: bool
    scheme: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    format: str = ""
    options: dict[str, str] = field(default_factory=dict)


def parse_address(url: str, *, platform: str = sys.platform) -> Address:
    """Take an address apart. AddressUnsupported where no source can be behind it. `platform` as in sys.platform."""
    text = url.strip()
    if not text:
        raise AddressUnsupported(f"the address of a stream is empty; give {ACCEPTED}")
    if piped := _STDIN.fullmatch(text):
        return _pipe(text, dict(parse_qsl(piped["query"] or "", keep_blank_values=True)))
    match = _SCHEME.fullmatch(text)
    scheme = match["scheme"].lower() if match else ""
    if match and scheme in NETWORK:
        return _network(text, scheme)
    if match and scheme in _OTHERS:
        return _local(text, scheme, match["rest"], platform)
    if match and match["rest"].startswith("//"):
        raise AddressUnsupported(_unknown(scheme, text))
    return _file(text, platform)


def is_live(url: str) -> bool:
    """Whether the address is of a camera, a screen or a broadcast rather than a recording. AddressUnsupported as above."""
    return parse_address(url).live


def may_end(url: str) -> bool:
    """Whether a recording may be behind the address: over HTTP only opening it tells. AddressUnsupported as above."""
    address = parse_address(url)
    return not address.live or address.kind == "pipe" or address.scheme in ("http", "https")


def _network(text: str, scheme: str) -> Address:
    # Only spaces and quotes would end an address inside a longer text; here it is known to be one.
    shown = redact(re.sub(r"[\s'\"<>]", "_", text))
    try:
        host, path = urlsplit(text).hostname, urlsplit(text).path
    except ValueError as error:
        raise AddressUnsupported(
            f"{shown} is not a valid address: write IPv6 hosts in [ ]"
        ) from error
    if not text[len(scheme) + 1 :].startswith("//") or not host:
        raise AddressUnsupported(f"{shown} names no host; write {scheme}://host/path")
    recorded = scheme in ("http", "https") and Path(path).suffix.lower() in _RECORDINGS
    return Address(kind="network", target=text, shown=shown, live=not recorded, scheme=scheme)


def _local(text: str, scheme: str, rest: str, platform: str) -> Address:
    place, _mark, query = rest.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if scheme == "file":
        path = unquote(urlsplit(text).path) if rest.startswith("//") else rest
        return _file(path, platform)
    if scheme == "webcam":
        return _webcam(text, place or "0", parameters, platform)
    if scheme == "screen":
        display = os.environ.get("DISPLAY", "")
        return _device("screen", text, screen(text, place, parameters, platform, display))
    if scheme == "dir":
        return _folder(text, place, parameters)
    if scheme == "pipe":
        raise AddressUnsupported(f"{text}: only standard input can be read; write - or pipe:")
    live = parameters.get("live", "0").lower() in _YES
    return Address(kind="test", target=text, shown=text, live=live, parameters=parameters)


def _webcam(text: str, place: str, parameters: dict[str, str], platform: str) -> Address:
    return _device("webcam", text, webcam(text, place, parameters, platform))


def _device(kind: Kind, text: str, device: Device) -> Address:
    return Address(
        kind=kind,
        target=device.target,
        shown=text,
        live=True,
        format=device.format,
        options=device.options,
    )


def _file(path: str, platform: str) -> Address:
    place, _mark, query = path.partition("?")
    if is_webcam(place, platform):
        return _webcam(path, place, dict(parse_qsl(query)), platform)
    # An absolute path, since libav takes what stands before a colon for a protocol.
    return Address(
        kind="file", target=str(Path(path).expanduser().absolute()), shown=path, live=False
    )


def _folder(text: str, place: str, parameters: dict[str, str]) -> Address:
    place = place[2:] if place.startswith("//") else place
    if not place:
        raise AddressUnsupported(f"{text} names no folder; write dir:FOLDER")
    live = parameters.get("live", "0").lower() in (*_YES, "new")
    return Address(
        kind="folder",
        target=str(Path(place).expanduser().absolute()),
        shown=text,
        live=live,
        parameters=parameters,
    )


def _pipe(text: str, parameters: dict[str, str]) -> Address:
    for name in parameters:
        if name not in ("format", "live"):
            raise AddressUnsupported(f"{text}: no parameter {name!r}; there are format and live")
    return Address(
        kind="pipe",
        target="-",
        shown="standard input",
        live=parameters.get("live", "0").lower() in _YES,
        parameters=parameters,
        format=parameters.get("format", ""),
    )


def _unknown(scheme: str, text: str) -> str:
    near = get_close_matches(scheme, [*NETWORK, *_OTHERS], n=1)
    slashes = "//" if near and near[0] in (*NETWORK, "file") else ""
    hint = f"; did you mean {near[0]}:{slashes}?" if near else ""
    return f"{redact(text)}: frames cannot be read from {scheme}://; give {ACCEPTED}{hint}"
