"""Redact: credentials out of addresses, and out of any text that quotes one.

Three places are cleaned: what stands before the host (`user:password@`, also where it should have been percent-encoded and was
not), the values of query parameters (all but a few known to be harmless), and `password=...` anywhere, since some cameras take
it in the path. When in doubt, more is hidden than needed.
"""

from __future__ import annotations

import re

HIDDEN = "***"

_HARMLESS = frozenset(
    "audio camera ch channel codec cols format fps frames frame_rate framerate h height live media"
    " profile quality resolution rows scene_s seed size sprites stream stream_type subtype track"
    " transport type video w width".split()
)
_SECRET = r"[\w-]*(?:pass(?:word|wd|phrase)?|pwd|pas|secret|token|key|auth|signature|credentials?)"
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^\s'\"<>]+)", re.IGNORECASE)
_ENCODED = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*%3A%2F%2F)[^\s'\"<>&]*%40", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w/.-])[\w.%+~-]+:[^\s/@'\"<>]+@(?=[\w\[])")
_PAIR = re.compile(rf"(?P<name>\b{_SECRET})=(?!\*\*\*)[^\s&;,/'\"<>]+", re.IGNORECASE)
_HEADER = re.compile(r"(?P<head>authorization:\s*\w+\s+)[^\r\n]+", re.IGNORECASE)
_PLAIN_HOST = re.compile(r"(?:\[[^\]@]*\]|[^:@\[\]/]*)/")


def redact(text: str) -> str:
    """The text with every credential in it replaced by `***`. Redacting twice changes nothing more."""
    text = _HEADER.sub(rf"\g<head>{HIDDEN}", text)
    text = _ADDRESS.sub(_redact_address, text)
    text = _ENCODED.sub(rf"\g<head>{HIDDEN}%40", text)
    text = _BARE.sub(f"{HIDDEN}@", text)
    return _PAIR.sub(rf"\g<name>={HIDDEN}", text)


def _redact_address(match: re.Match[str]) -> str:
    place, mark, query = match["rest"].partition("?")
    if "@" in query and ("/" not in place or not _PLAIN_HOST.match(place)):
        # What looks like host and port may be user and password, the mark being part of it: better to hide too much.
        place, mark, query = match["rest"], "", ""
    _credentials, at, after = place.rpartition("@")
    shown = f"{HIDDEN}@{after}" if at else place
    parameters = "".join(_redact_parameter(part) for part in re.split(r"([&;])", query))
    return f"{match['scheme']}://{shown}{mark}{parameters}"


def _redact_parameter(part: str) -> str:
    name, equals, _value = part.partition("=")
    if part in ("", "&", ";") or name.lower() in _HARMLESS:
        return part
    return f"{name}={HIDDEN}" if equals else HIDDEN
