"""What is named and is not there: told by looking, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.absence import check_there
from streams.errors import AddressUnsupported, SourceNotFound


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("{}/none.mp4", "{}/none.mp4: there is no such file; check the path"),
        ("file://{}/none.mp4", "{}/none.mp4: there is no such file; check the path"),
        ("{}/clip.mp4/none.mp4", "no such file"),
        ("{}", "is a folder; give the path of a video file, or dir:{} for its pictures"),
        ("dir:{}/none", "there is no such folder"),
        ("dir:{}/clip.mp4?fps=2", "is no folder"),
    ],
)
def test_a_recording_that_is_not_there_is_refused(url: str, said: str, tmp_path: Path) -> None:
    """Missing files and folders, and each where the other is meant; with the way out."""
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(SourceNotFound) as caught:
        check_there(url.format(tmp_path))
    assert said.format(tmp_path) in caught.value.message


def test_a_path_from_here_is_told_with_where_it_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon may have been started elsewhere than where its user stands."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceNotFound, match=f"no such file at {tmp_path}/none.mp4; check"):
        check_there("none.mp4")


@pytest.mark.parametrize(
    "url",
    [
        "{}/clip.mp4",
        "dir:{}",
        "dir:{}/none?live=1",
        "rtsp://127.0.0.1:1/x",
        "http://127.0.0.1:1/none.mp4",
        "/dev/video99",
        "webcam:99",
        "test:",
        "-",
        "{}/clip\0.mp4",
    ],
)
def test_what_is_there_or_may_come_back_is_not(url: str, tmp_path: Path) -> None:
    """Cameras, folders that fill and what lies elsewhere are for whoever opens them; nothing is opened here."""
    (tmp_path / "clip.mp4").touch()
    check_there(url.format(tmp_path))


def test_an_address_that_cannot_be_one_is_named() -> None:
    """As everywhere."""
    with pytest.raises(AddressUnsupported, match="gopher"):
        check_there("gopher://x")
