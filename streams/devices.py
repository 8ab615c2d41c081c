"""Devices: webcams and screens, by the names and the options that libav takes them by on each platform."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streams.errors import AddressUnsupported

# Pictures a second that are grabbed where none are asked for: a whole screen is dear. A webcam mostly knows its own rate; only
# Apple's does not, and libav's guess, 29.97, is refused by most of them.
GRAB_FPS = {"x11grab": "10", "gdigrab": "10", "avfoundation": "30"}
# How each grabber is told where on the screen to begin, and each webcam which of its formats to send.
_CORNER = {"x11grab": ("grab_x", "grab_y"), "gdigrab": ("offset_x", "offset_y")}
_CODING = {"v4l2": "input_format", "avfoundation": "pixel_format", "dshow": "vcodec"}
_LINUX_WEBCAM = re.compile(r"/dev/(video\d+|v4l/.+)")
_VALID = {
    "fps": (re.compile(r"\d+(\.\d+)?|\d+/\d+"), "a number"),
    "size": (re.compile(r"\d+x\d+"), "as 1280x720"),
    "at": (re.compile(r"\d+,\d+"), "as 100,50"),
    "format": (re.compile(r"\w+"), "as mjpeg"),
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device as libav knows it: `format` is libav's name for the kind of device, `target` its name for this one."""

    format: str
    target: str
    options: dict[str, str] = field(default_factory=dict)


def is_webcam(path: str, platform: str) -> bool:
    """Whether a path is a webcam's, by its name alone."""
    return platform not in ("darwin", "win32") and bool(_LINUX_WEBCAM.fullmatch(path))


def webcam(text: str, place: str, parameters: dict[str, str], platform: str) -> Device:
    """The webcam `place`, a number or a name, of the address `text`. `platform` as in sys.platform. AddressUnsupported where
    none can have that name, or something is asked of it that cannot be.
    """
    _check(text, parameters, ("fps", "size", "format"))
    if platform == "win32":
        # By number, DirectShow's webcams have no name: which one it is, is found out when it is opened.
        return _told(parameters, "dshow", place if place.isdecimal() else f"video={place}")
    if platform == "darwin":
        return _told(parameters, "avfoundation", f"{place}:none")
    path = f"/dev/video{place}" if place.isdecimal() else place
    if not is_webcam(path, platform):
        raise AddressUnsupported(f"{text} is not a webcam; write webcam:0 for /dev/video0")
    return _told(parameters, "v4l2", path)


def screen(
    text: str, place: str, parameters: dict[str, str], platform: str, display: str
) -> Device:
    """The screen `place` of the address `text`; empty: the user's own, which under X `display` names. Errors as above."""
    if platform == "darwin":
        _check(text, parameters, ("fps", "size"))
        if not (place or "0").isdecimal():
            raise AddressUnsupported(f"{text} is not a screen; write screen:0 for the first one")
        return _told(parameters, "avfoundation", f"Capture screen {place or 0}:none")
    _check(text, parameters, ("fps", "size", "at"))
    if platform == "win32":
        return _told(parameters, "gdigrab", f"title={place}" if place else "desktop")
    return _told(parameters, "x11grab", place or display or ":0")


def _check(text: str, parameters: dict[str, str], known: tuple[str, ...]) -> None:
    for name, value in parameters.items():
        if name not in known:
            raise AddressUnsupported(f"{text}: no parameter {name!r}; there are {', '.join(known)}")
        pattern, says = _VALID[name]
        if not pattern.fullmatch(value):
            raise AddressUnsupported(f"{text}: {name} is to be {says}, not {value!r}")


def _told(parameters: dict[str, str], format: str, target: str) -> Device:
    options = {"framerate": parameters.get("fps", GRAB_FPS.get(format, ""))}
    options["video_size"] = parameters.get("size", "")
    if "format" in parameters:
        options[_CODING[format]] = parameters["format"]
    if "at" in parameters:
        options |= zip(_CORNER[format], parameters["at"].split(","), strict=True)
    return Device(format, target, {name: value for name, value in options.items() if value})
