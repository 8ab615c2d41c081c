"""One configured stream, from its address to what the engine takes frames from."""

from __future__ import annotations

import pytest

from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.intake import build_intake, policy, reader_options
from livevlm.watchconfig import StreamConfig


@pytest.mark.parametrize(
    ("drop", "live", "expected"),
    [
        ("auto", True, "oldest"),
        ("auto", False, "block"),
        ("latest", True, "latest"),
        ("oldest", False, "oldest"),
        ("block", False, "block"),
    ],
)
def test_what_gives_way(drop: str, live: bool, expected: str) -> None:
    """Cameras never wait, recordings lose nothing, unless they are told otherwise."""
    stream = StreamConfig(url="x", drop=drop)  # type: ignore[arg-type]
    assert policy(stream, live=live) == expected


def test_a_camera_cannot_be_told_to_wait() -> None:
    """It would go on sending; the error names the stream, the setting, and what to take."""
    config = Config(streams={"door": StreamConfig(url="rtsp://cam/s", drop="block")})
    with pytest.raises(ConfigError, match=r"streams.door: drop: .*oldest or latest"):
        build_intake("door", config, environ={}, size=None, wake=lambda: None)


def test_the_gate_s_settings_reach_the_reader() -> None:
    """Off unless it is asked for."""
    asked = reader_options(StreamConfig(url="x", gate=6.0, gate_longest_s=5.0), fps=1, size=None)
    assert (asked.gate, asked.gate_longest_s) == (6.0, 5.0)
    assert reader_options(StreamConfig(url="x"), fps=1, size=None).gate == 0
