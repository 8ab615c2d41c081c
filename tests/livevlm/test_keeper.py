"""A stream's memory on disk, as the engine keeps it: what is seen comes back, full disks are said and survived."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from livevlm.errors import ConfigError
from livevlm.ingest import StreamIngest
from livevlm.keeper import restored
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone
from livevlm.vision import FrameEncoder, jpeg
from tests.livevlm.tiny import frames


def begun(folder: Path, *, page_tokens: int = 16, page_choice: str = "shared") -> StreamIngest:
    """A stream's write path on the toy, with what the folder holds of it."""
    toy = ToyBackbone()
    recipe = MemoryRecipe(
        budget_tokens=96, short_term_frames=4, page_tokens=page_tokens, page_choice=page_choice
    )
    memory = recipe.build(
        toy, prompt="p", frame_tokens=16, chunk_frames=4, folder=folder / "archive"
    )
    keeper = restored("hall", folder / "memory", memory, lambda: 0.0)
    newest = memory.newest()
    first = 0 if newest is None else newest.frame + 1
    encoder = FrameEncoder(toy, make_reducer(toy.own_grid, tokens=0, similarity=0.0), first)
    return StreamIngest(
        toy, memory, encoder, score_queries=8, stage=lambda _name, _seconds: None, keeper=keeper
    )


def test_a_new_life_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """Frames are numbered on and time runs on, whether the last life was ended or cut off."""
    first = begun(tmp_path)
    first.add(frames(4, size=(64, 64)))
    first.close()
    second = begun(tmp_path)
    assert second.as_of == first.as_of
    second.add(frames(4, size=(64, 64)))
    times = second.memory.newest()
    assert times is not None
    assert times.frame == 7
    assert first.as_of is not None
    assert times.stream_s > first.as_of.stream_s + 2.9
    second.close()


def test_a_picture_of_every_frame_can_be_looked_at(tmp_path: Path) -> None:
    """As the model saw it, in this life and the next."""
    first = begun(tmp_path)
    shown = frames(4, size=(64, 64))
    first.add(shown)
    first.close()
    second = begun(tmp_path)
    for ingest in (first, second):
        archive = ingest.memory.archive
        assert archive is not None
        for number, frame in enumerate(shown):
            assert archive.picture(number) == jpeg(frame.image)
        assert archive.picture(99) is None
    second.close()


def test_a_jpeg_is_the_picture() -> None:
    """Right way round, in its own colours, within what JPEG loses."""
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, :24] = (200, 30, 30)
    image[:, 24:] = (30, 30, 200)
    decoded = cv2.imdecode(np.frombuffer(jpeg(image), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    back = decoded[..., ::-1]
    assert back.shape == image.shape
    assert abs(back[:, :20].astype(int) - image[:, :20]).mean() < 8
    assert abs(back[:, 28:].astype(int) - image[:, 28:]).mean() < 8


def test_what_was_kept_for_pages_of_each_layer_is_read_for_all(tmp_path: Path) -> None:
    """Files hold no index: a folder that was written with one choice of pages gives with the other what its own would."""
    every, recalls = frames(40, size=(64, 64)), []
    queries = torch.randn(2, 4, 3, 12, generator=torch.Generator().manual_seed(1))
    for page_choice in ("layer", "shared"):
        first = begun(tmp_path / page_choice, page_choice=page_choice)
        for start in range(0, 40, 4):
            first.add(every[start : start + 4])
        first.close()
        again = begun(tmp_path / page_choice, page_choice="shared")
        recalls.append(again.memory.recall(queries))
        again.close()
    assert torch.equal(recalls[0].frames, recalls[1].frames)
    assert torch.equal(recalls[0].keys, recalls[1].keys)
    assert recalls[0].tiers.archive > 0


def test_what_is_spoilt_is_said_when_it_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A start reads the newest of the archive alone; the rest is read while nobody waits, and the log says once what it was."""
    first = begun(tmp_path, page_tokens=1)
    every = frames(48, size=(64, 64))
    for start in range(0, 48, 4):
        first.add(every[start : start + 4])
    first.close()
    rows = tmp_path / "archive" / "00000000-0.rows"
    data = bytearray(rows.read_bytes())
    data[0] ^= 1
    rows.write_bytes(data)
    again = begun(tmp_path, page_tokens=1)
    assert caplog.messages == []
    while again.tidy():
        pass
    again.tidy()
    spoilt = "left out the spoilt tokens 1 to 64"  # the prompt is number 0
    (message,) = caplog.messages
    assert message.startswith("stream hall: ")
    assert message.endswith(spoilt)
    assert again.memory.stats().tokens.archive == 48 * 16 - 64
    again.close()


def test_a_full_disk_is_said_once_and_so_is_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream goes on; the log has one error and, when all is on disk again, one line of relief."""
    ingest = begun(tmp_path)
    caplog.set_level(logging.INFO)
    every = frames(1040, size=(64, 64))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("memory.state.write_record", full)
        for start in range(0, 12, 4):
            ingest.add(every[start : start + 4])
        said = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(said) == 1
        assert "hall" in said[0].message
        assert "No space left" in said[0].message
    for start in range(12, 1040, 4):
        ingest.add(every[start : start + 4])
    assert [r.message for r in caplog.records if "on disk again" in r.message] == [
        "stream hall: its memory is on disk again"
    ]
    ingest.close()
    again = begun(tmp_path)
    newest = again.memory.newest()
    assert newest is not None
    assert newest.frame == 1039
    again.close()


def test_a_folder_that_cannot_be_used_is_an_error_of_configuration(tmp_path: Path) -> None:
    """It names the stream, the folder and the way out."""
    (tmp_path / "memory").write_text("no folder")
    with pytest.raises(ConfigError, match=r"memory of hall in .*memory.*server\.state_dir"):
        begun(tmp_path)
