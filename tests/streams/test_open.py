"""The one door to every kind of source, and errors of devices that are not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streams
from streams.container import ContainerSource
from streams.errors import AddressUnsupported, ConnectionFailed, SourceNotFound
from streams.open import open_source
from streams.source import SourceOptions
from streams.synthetic import SyntheticSource


def test_kinds_of_sources() -> None:
    """The test pattern is drawn, everything else is decoded; neither is opened yet."""
    assert isinstance(
        open_source("test:?seed=1", name="cam", options=SourceOptions()), SyntheticSource
    )
    assert isinstance(open_source("rtsp://cam/s", name="cam"), ContainerSource)


def test_an_address_that_is_none() -> None:
    """Told before anything is opened."""
    with pytest.raises(AddressUnsupported):
        open_source("gopher://h", name="cam")


def test_a_webcam_that_is_not_there() -> None:
    """The error names the device and how to find others."""
    with (
        pytest.raises(SourceNotFound, match=r"/dev/video63.*ls /dev"),
        open_source("webcam:63", name="cam"),
    ):
        pass


def test_a_screen_that_is_not_there() -> None:
    """The error names the display and how to name another."""
    with (
        pytest.raises(ConnectionFailed, match=r":63.*DISPLAY"),
        open_source("screen::63", name="cam"),
    ):
        pass


def test_the_door_shows_what_others_need() -> None:
    """Other rooms import from the door; what it names is there, and nothing else."""
    assert all(hasattr(streams, name) for name in streams.__all__)
    assert streams.redact("rtsp://u:p@h/") == "rtsp://***@h/"
    with pytest.raises(AttributeError, match="Nothing"):
        streams.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_redacting_loads_no_decoder() -> None:
    """The command's light verbs start at once."""
    code = (
        "import sys; from streams import redact; print({'av', 'cv2', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": (0, 10)}, "size"),
        ({"open_timeout_s": 0}, "timeout"),
        ({"read_timeout_s": -1}, "timeout"),
        ({"rtsp_transport": "smoke"}, "smoke"),
    ],
)
def test_options_that_make_no_sense(wrong: dict[str, object], says: str) -> None:
    """Told where they are made."""
    with pytest.raises(ValueError, match=says):
        SourceOptions(**wrong)  # type: ignore[arg-type]
