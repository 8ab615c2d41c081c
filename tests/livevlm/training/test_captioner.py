"""A checkpoint that learns captions: what it is shown, what is asked of it, what learns, and what is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from livevlm.decoder import ChunkPast
from livevlm.errors import ConfigError, ModelNotFound
from livevlm.hf import load
from livevlm.reducer import make_reducer
from livevlm.training.captioner import CAPTION_TOKENS, IGNORED, PARTS, Captioner, open_captioner
from tests.livevlm.tiny import checkpoint

CPU = torch.device("cpu")
ASKED = "what colour is it?"


def folder(tmp_path: Path, **preprocessor: object) -> Path:
    """The tiny checkpoint, with other values in its preprocessor files."""
    made = shutil.copytree(checkpoint(), tmp_path / "model")
    for path in made.glob("*preprocessor_config.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), **preprocessor}))
    return made


def captioner(path: Path | None = None) -> Captioner:
    """The tiny checkpoint, opened for training."""
    return open_captioner(path or checkpoint(), device=CPU, question=ASKED)


def images(count: int) -> np.ndarray:
    """Random pictures."""
    return np.random.default_rng(3).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_the_loss_is_of_what_the_daemon_reads(tmp_path: Path) -> None:
    """Frame, chat layout and preprocessing are the daemon's: its own walk gives the captions the same likelihood, token by
    token, though here captions of several lengths are padded into one batch.
    """
    path = folder(tmp_path, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4])
    captions = ["a red star", "?", "the star is not in view, nor was it ever"]
    daemon = load(str(path), device=CPU, dtype=torch.float32)
    layout, reducer = daemon.codec.layout(""), make_reducer(daemon.own_grid, tokens=0, similarity=0)
    losses = []
    for grid, caption in zip(daemon.encode(images(3)), captions, strict=True):
        answer = [*daemon.codec.encode(caption), min(daemon.codec.stop_ids)]
        said = [*daemon.codec.encode(layout.ask(ASKED)), *answer]
        before = daemon.embed(daemon.codec.encode(layout.before_video))
        embeds = torch.cat((before, reducer.reduce(grid), daemon.embed(said)))
        logits = daemon.logits(daemon.forward(embeds, ChunkPast(None, daemon.rope, 1)))
        at = slice(-len(answer) - 1, -1)
        losses.append(cross_entropy(logits[at], torch.tensor(answer), reduction="none"))
    found = captioner(path).loss(images(3), captions)
    torch.testing.assert_close(found.detach(), torch.cat(losses).mean(), atol=1e-4, rtol=1e-4)


def test_labels_are_the_caption_and_its_end() -> None:
    """Each predicted from the token before it; neither question nor padding is learnt."""
    tokenizer = load(str(checkpoint()), device=CPU, dtype=torch.float32).codec
    ids, labels = captioner().lay_out(["a red star", "star"])
    end = min(tokenizer.stop_ids)
    for row, caption in enumerate(("a red star", "star")):
        places = (labels[row] != IGNORED).nonzero().flatten()
        answer = labels[row, places].tolist()
        assert answer == [*tokenizer.encode(caption), end]
        assert (
            ids[row, places + 1 if row else places[:-1] + 1].tolist()[: len(answer) - 1]
            == answer[:-1]
        )
        assert tokenizer.decode(ids[row, : places[0] + 1].tolist()) == f"\n{ASKED}\nassistant\n"


def test_a_caption_that_is_cut_does_not_end() -> None:
    """So that the model does not learn to stop in mid-sentence; one that just fits does end."""
    end = min(load(str(checkpoint()), device=CPU, dtype=None).codec.stop_ids)
    for length in (CAPTION_TOKENS, CAPTION_TOKENS + 1):
        _, labels = captioner().lay_out(["?" * length])
        learnt = labels[labels != IGNORED].tolist()
        assert learnt.count(end) == (length == CAPTION_TOKENS)
        assert len(learnt) == CAPTION_TOKENS + (length == CAPTION_TOKENS)


@pytest.mark.parametrize("part", PARTS)
def test_only_the_part_that_is_named_learns(part: str) -> None:
    """Its parameters are those that are given out and, but for what the loss does not reach, those that get a gradient."""
    made = captioner()
    named = dict(made.open(part))
    made.loss(images(1), ["a red star"]).backward()
    rooms = {name.split(".")[1] for name in named if name.startswith("model.")} - {"image_newline"}
    assert (
        rooms
        == {
            "projector": {"multi_modal_projector"},
            "language": {"language_model"},
            "all": {"vision_tower", "multi_modal_projector", "language_model"},
        }[part]
    )
    still = {name for name, one in named.items() if one.grad is None}
    assert all("post_layernorm" in name or "newline" in name for name in still), still
    everything = dict(made._model.named_parameters())
    assert {name for name, one in everything.items() if one.grad is not None} <= named.keys()


def test_what_is_written_is_as_complete_as_what_was_read(tmp_path: Path) -> None:
    """The same files, preprocessor values, dtype and tokens: the daemon loads it as it loads the first."""
    path = folder(tmp_path, image_mean=[0.1, 0.2, 0.3])
    captioner(path).save(tmp_path / "written")
    assert {one.name for one in (tmp_path / "written").iterdir()} >= {
        one.name for one in path.iterdir()
    }
    old, new = (load(str(one), device=CPU, dtype=None) for one in (path, tmp_path / "written"))
    assert torch.equal(old.encode(images(2)), new.encode(images(2)))
    assert old.codec.stop_ids == new.codec.stop_ids
    assert old.codec.layout("be brief") == new.codec.layout("be brief")


def test_the_stored_dtype_stays(tmp_path: Path) -> None:
    """A bfloat16 checkpoint is trained in float32 and written as bfloat16."""
    path = folder(tmp_path)
    load(str(path), device=CPU, dtype=torch.bfloat16)._model.save_pretrained(path)
    made = captioner(path)
    assert {one.dtype for _, one in made.open("all")} == {torch.float32}
    made.save(tmp_path / "written")
    assert load(str(tmp_path / "written"), device=CPU, dtype=None).dtype == torch.bfloat16
    assert "float32" not in (tmp_path / "written" / "config.json").read_text()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("no folder", "no model folder"),
        ("empty", "cannot be loaded"),
        ("other class", "qwen2"),
        ("no weights", "cannot be loaded"),
        ("no template", "cannot be loaded"),
        ("garbage preprocessor", "cannot be loaded"),
    ],
)
def test_a_folder_that_cannot_be_trained_is_refused(
    broken: str, reason: str, tmp_path: Path
) -> None:
    """Each is a ModelNotFound that names the folder."""
    path = folder(tmp_path)
    if broken == "no folder":
        path = tmp_path / "model-of-nobody"
    if broken == "empty":
        shutil.rmtree(path)
        path.mkdir()
    if broken == "other class":
        # All else stays, its sizes above all: were the class not looked at, a model of the default size would be made.
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "model_type": "qwen2"}))
    if broken == "no weights":
        (path / "model.safetensors").unlink()
    if broken == "no template":
        (path / "chat_template.jinja").write_text("{{ messages[0]['role'] }}")
    if broken == "garbage preprocessor":
        (path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ModelNotFound, match=rf"{path.name}.*{reason}|{reason}.*{path.name}"):
        captioner(path)


def test_a_device_that_is_not_there_is_a_configuration_error() -> None:
    """And says what to do."""
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="use cpu"):
            open_captioner(checkpoint(), device=torch.device("cuda"), question=ASKED)
