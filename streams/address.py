"""Address: what a user writes to name a source, taken apart."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.errors import AddressUnsupported
from streams.redact import redact

Kind = Literal["file", "network", "webcam", "screen", "test"]

_NETWORK = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https")
_OTHERS = ("file", "webcam", "screen", "test", "dir")
_ACCEPTED = (
    "a file's path, rtsp://, rtsps://, rtmp://, http(s)://, webcam:0, /dev/video0, screen: or test:"
)
_SCHEME = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_DEVICE = re.compile(r"/dev/(video\d+|v4l/.+)")
_RECORDINGS = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ogv .mpg .mpeg .wmv .3gp .jpg .jpeg .png".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where frames come from.

    target: what is opened; it may hold credentials. shown: the same for people, without them. live: whether pictures come when
    they happen, as far as the address tells. parameters: what was asked of a device after its question mark.
    """

    kind: Kind
    target: str = field(repr=False)
    shown: str
    live: bool
    scheme: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def parse_address(url: str) -> Address:
    """Take an address apart. AddressUnsupported where no source can be behind it."""
    text = url.strip()
    if not text:
        raise AddressUnsupported(f"the address of a stream is empty; give {_ACCEPTED}")
    match = _SCHEME.fullmatch(text)
    scheme = match["scheme"].lower() if match else ""
    if match and scheme in _NETWORK:
        return _network(text, scheme)
    if match and scheme in _OTHERS:
        return _local(text, scheme, match["rest"])
    if match and match["rest"].startswith("//"):
        raise AddressUnsupported(_unknown(scheme, text))
    return _file(text)


def is_live(url: str) -> bool:
    """Whether the address is of a camera, a screen or a broadcast rather than a recording. AddressUnsupported as above."""
    return parse_address(url).live


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


def _local(text: str, scheme: str, rest: str) -> Address:
    place, _mark, query = rest.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if scheme == "file":
        return _file(unquote(urlsplit(text).path) if rest.startswith("//") else rest)
    if scheme == "webcam":
        return _webcam(text, place or "0", parameters)
    if scheme == "screen":
        target = place or os.environ.get("DISPLAY", "") or ":0"
        return Address(kind="screen", target=target, shown=text, live=True, parameters=parameters)
    if scheme == "test":
        live = parameters.get("live", "0").lower() in ("1", "true", "yes")
        return Address(kind="test", target=text, shown=text, live=live, parameters=parameters)
    raise AddressUnsupported(
        f"{text}: folders of images cannot be read; make one video file of them"
    )


def _webcam(text: str, place: str, parameters: dict[str, str]) -> Address:
    if place.isdecimal():
        place = f"/dev/video{place}"
    if not _DEVICE.fullmatch(place):
        raise AddressUnsupported(f"{text} is not a webcam; write webcam:0 for /dev/video0")
    return Address(kind="webcam", target=place, shown=text, live=True, parameters=parameters)


def _file(path: str) -> Address:
    if _DEVICE.fullmatch(path.partition("?")[0]):
        place, _mark, query = path.partition("?")
        return _webcam(path, place, dict(parse_qsl(query)))
    # An absolute path, since libav takes what stands before a colon for a protocol.
    return Address(
        kind="file", target=str(Path(path).expanduser().absolute()), shown=path, live=False
    )


def _unknown(scheme: str, text: str) -> str:
    near = get_close_matches(scheme, [*_NETWORK, *_OTHERS], n=1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    return f"{redact(text)}: frames cannot be read from {scheme}://; give {_ACCEPTED}{hint}"
