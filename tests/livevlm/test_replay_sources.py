"""`livevlm replay` of what is no video file: a folder of pictures, and playlists, which are live or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livevlm.cli import main
from streams.opencv import cv2
from tests.streams.hls import Playlist, broadcast, serve
from tests.streams.pictures import numbered

TOY = ("--model", "toy", "--set", "model.threads=1", "--set", "answer.max_tokens=2", "--json")


def test_a_folder_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each picture is a frame with its own moment."""
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(cv2.imencode(".png", numbered(number))[1])
    assert main(["replay", f"dir:{tmp_path}", "--ask", "2=one", "--ask", "two", *TOY]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["as_of"]["stream_s"] for line in lines] == [2.0, 4.0]


def test_playlists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only opening one tells whether it has an end; one that has none is refused as every live source is."""
    for folder in ("whole", "live"):
        (tmp_path / folder).mkdir()
    playlist = Playlist(tmp_path / "whole", rolling=False)
    playlist.write(35)
    playlist.end()
    with serve(tmp_path) as address, broadcast(tmp_path / "live"):
        assert main(["replay", f"{address}/whole/cam.m3u8", "--ask", "what?", *TOY]) == 0
        assert json.loads(capsys.readouterr().out)["as_of"]["stream_s"] >= 2.0
        assert main(["replay", f"{address}/live/cam.m3u8?token=hunter2", *TOY]) == 2
    err = capsys.readouterr().err
    assert "replay needs a recording" in err
    assert "hunter2" not in err
