"""The command that trains on a folder of pictures with captions: it learns, goes on after a break, and says what is wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from livevlm.assembly import build_engine
from livevlm.config import Config
from livevlm.messages import Question
from livevlm.metrics import Metrics
from livevlm.models import load_backbone
from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer
from livevlm.replay import STREAM, Feed, TimedQuestion, replay, stream_of
from livevlm.training.captioner import Captioner
from livevlm.training.captions import Notebook, Plan, main
from livevlm.training.pairs import Pairs, find_pairs
from livevlm.vision import fit
from streams import Frame

SHOWN = {
    "a red disc.jpg": ("a red disc", (0, 0, 255)),
    "box.png": ("a green box on the left", (0, 255, 0)),
    "line.webp": ("one blue line", (255, 0, 0)),
    "blank.bmp": ("nothing at all", (128, 128, 128)),
}
QUESTION = "Describe the picture."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with random weights."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer([caption for caption, _ in SHOWN.values()], 300)
    torch.manual_seed(0)
    save_checkpoint(build_model(SHAPES["tiny"], tokenizer, torch.float32), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small pictures with their captions, and one without."""
    folder = tmp_path_factory.mktemp("data")
    for number, (name, (caption, colour)) in enumerate(SHOWN.items()):
        image = np.full((60 + 10 * number, 80, 3), 40, np.uint8)
        if "disc" in name:
            cv2.circle(image, (40, 30), 20, colour, -1)
        elif "box" in name:
            cv2.rectangle(image, (5, 10), (35, 60), colour, -1)
        elif "line" in name:
            cv2.line(image, (0, 0), (79, 70), colour, 6)
        assert cv2.imwrite(str(folder / name), image)
        (folder / name).with_suffix(".txt").write_text(caption)
    assert cv2.imwrite(str(folder / "bare.png"), np.zeros((8, 8, 3), np.uint8))
    return folder


def train(model: Path, data: Path, out: Path, *words: str) -> int:
    """Run the command with four pairs a step, in float32; later words win."""
    given = ["--model", str(model), "--data", str(data), "--out", str(out)]
    plain = ["--batch", "4", "--lr", "1e-2", "--precision", "fp32", "--threads", "1"]
    return main([*given, *plain, *words])


def figures(out: Path) -> list[dict[str, float]]:
    """The lines of train.jsonl."""
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


def said(folder: Path, image: np.ndarray) -> str:
    """What a daemon with that checkpoint answers when its stream shows one picture."""
    backbone = load_backbone(str(folder), device="cpu", threads=1)
    feed = Feed([Frame(STREAM, 0, 0.0, 0.0, fit(image, backbone.frame_size))])
    engine = build_engine(backbone, Config(), [stream_of(feed, "frames")], Metrics())
    asked = TimedQuestion(math.inf, Question(id="q", stream=STREAM, text=QUESTION, max_tokens=30))
    ((_, answer),) = replay(engine, feed, [asked])
    return answer.text


def test_captions_are_learnt_and_the_daemon_says_them(
    model: Path, data: Path, tmp_path: Path
) -> None:
    """The loss falls far below its start, and the checkpoint that is written, loaded by the daemon, answers with them."""
    assert train(model, data, tmp_path, "--steps", "40", "--train", "all") == 0
    lines = figures(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert lines[0]["loss"] > 4
    assert lines[-1]["loss"] < 0.1
    assert lines[0]["lr"] < lines[4]["lr"] == pytest.approx(1e-2)
    assert lines[-1]["lr"] < 1e-3
    pairs = find_pairs(data)
    for pair in pairs.pairs:
        image = cv2.cvtColor(cv2.imread(str(data / pair.picture)), cv2.COLOR_BGR2RGB)
        assert said(tmp_path / "checkpoint", image) == pair.caption


def test_the_log_tells_how_it_goes(model: Path, data: Path, tmp_path: Path) -> None:
    """How many pairs, which picture is left out, every tenth step and the last with its loss, and where the outcome is."""
    assert train(model, data, tmp_path, "--steps", "12") == 0
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert lines[0].startswith("4 pairs")
    assert lines[1] == "warning: 1 without a caption are left out: bare.png"
    assert [line.split(" lr ")[0].split(" loss ")[0] for line in lines[2:4]] == [
        "step 10/12", "step 12/12"
    ]  # fmt: skip
    mean = sum(line["loss"] for line in figures(tmp_path)[10:]) / 2
    assert f"loss {mean:.4f}" in lines[3]
    assert lines[4] == f"written: {tmp_path / 'checkpoint'}"


@pytest.mark.parametrize("part", ["projector", "all"])
def test_a_run_that_was_broken_off_ends_as_if_it_had_run_through(
    part: str, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights to the last bit and the same figures, though steps after the snapshot were taken twice."""
    words = ("--steps", "8", "--batch", "2", "--save-every", "3", "--train", part)
    assert train(model, data, tmp_path / "whole", *words) == 0
    with monkeypatch.context() as patch:

        def draw(pairs: Pairs, seed: int, step: int, count: int, drawn=Pairs.draw) -> object:
            if step == 6:
                raise KeyboardInterrupt
            return drawn(pairs, seed, step, count)

        patch.setattr(Pairs, "draw", draw)
        assert train(model, data, tmp_path / "broken", *words) == 130
    assert not (tmp_path / "broken" / "checkpoint").exists()
    assert train(model, data, tmp_path / "broken", *words, "--resume") == 0
    assert "going on after step 3\n" in (tmp_path / "broken" / "train.log").read_text()
    weights = [tmp_path / run / "checkpoint" / "model.safetensors" for run in ("whole", "broken")]
    assert (
        weights[0].read_bytes() == weights[1].read_bytes() != (model / weights[0].name).read_bytes()
    )
    assert figures(tmp_path / "whole") == figures(tmp_path / "broken")


def test_a_snapshot_is_the_old_one_until_the_new_one_is_whole(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle of writing, a run still goes on from the snapshot before."""
    words = ("--steps", "4", "--save-every", "2")
    with monkeypatch.context() as patch:

        def save(state: dict[str, object], path: Path, saved=torch.save) -> None:
            saved(state, path)
            if state["step"] == 4:
                path.write_bytes(path.read_bytes()[:100])
                raise KeyboardInterrupt

        patch.setattr(torch, "save", save)
        assert train(model, data, tmp_path, *words) == 130
    assert train(model, data, tmp_path, *words, "--resume") == 0
    assert "going on after step 2\n" in (tmp_path / "train.log").read_text()


def test_resuming_without_a_snapshot_begins(model: Path, data: Path, tmp_path: Path) -> None:
    """So a script may always say --resume; one that is done is written again and takes no step."""
    assert train(model, data, tmp_path, "--steps", "2", "--resume") == 0
    before = (tmp_path / "train.jsonl").read_bytes()
    assert train(model, data, tmp_path, "--steps", "2", "--resume") == 0
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_a_run_is_neither_overwritten_nor_mixed(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a snapshot does not fit is refused: no --resume, other settings, other pairs, its own outcome as the model."""
    go = partial(train, model, data, tmp_path, "--steps", "2")
    assert go() == 0
    assert go() == 2
    assert "--resume" in capsys.readouterr().err
    for words, named in (
        (("--seed", "5"), "seed"),
        (("--steps", "3"), "steps"),
        (("--train", "all"), "train"),
    ):
        assert go("--resume", *words) == 2
        assert f"with other {named}" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    assert cv2.imwrite(str(tmp_path / "other" / "a.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "other" / "a.txt").write_text("a")
    assert go("--resume", "--data", str(tmp_path / "other")) == 2
    assert "with other pairs" in capsys.readouterr().err
    assert go("--resume", "--model", str(tmp_path / "checkpoint")) == 2
    assert "overwritten" in capsys.readouterr().err


def test_mixed_precision_runs(model: Path, data: Path, tmp_path: Path) -> None:
    """In bfloat16 the loss is another and falls as well."""
    for precision in ("bf16", "fp32"):
        out = tmp_path / precision
        words = ("--steps", "6", "--train", "language", "--precision", precision)
        assert train(model, data, out, *words) == 0
    mixed, plain = figures(tmp_path / "bf16"), figures(tmp_path / "fp32")
    assert mixed[0]["loss"] != plain[0]["loss"]
    assert mixed[0]["loss"] == pytest.approx(plain[0]["loss"], rel=0.02)
    assert mixed[-1]["loss"] < mixed[0]["loss"] - 0.5


def test_a_loss_that_is_no_number_ends_the_run(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Before it reaches the weights: no snapshot or checkpoint is written from it."""
    monkeypatch.setattr(Captioner, "loss", lambda *_: torch.tensor(math.nan))
    assert train(model, data, tmp_path, "--steps", "2") == 1
    assert "nan at step 1" in capsys.readouterr().err
    assert not (tmp_path / "snapshot.pt").exists()


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--data", "/no/such/data"), 2, "/no/such/data"),
        (("--model", "/no/such/model"), 4, "/no/such/model"),
        (("--out", "/dev/null/out"), 2, "/dev/null/out"),
        (("--steps", "0"), 2, "--steps"),
        (("--batch", "0"), 2, "--batch"),
        (("--lr", "-1"), 2, "--lr"),
        (("--lr", "nan"), 2, "--lr"),
        (("--seed", "-1"), 2, "--seed"),
        (("--save-every", "0"), 2, "--save-every"),
    ],
)
def test_what_cannot_be_used_is_named(
    words: tuple[str, str], code: int, reason: str, model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """On standard error and by the exit code, without a traceback."""
    assert train(model, data, tmp_path / "out", *words) == code
    assert reason in capsys.readouterr().err


def test_an_untied_head_learns_as_an_embedding(data: Path, tmp_path: Path) -> None:
    """It belongs to the language model, and its first step is AdamW's, by which every weight moves as far as the rate says;
    a hidden matrix goes by Muon, whose steps differ from weight to weight.
    """
    tokenizer = build_tokenizer(["a"], 300)
    old = build_model(replace(SHAPES["tiny"], tied=False), tokenizer, torch.float32)
    save_checkpoint(old, tokenizer, tmp_path / "model")
    words = ("--steps", "1", "--train", "language")
    assert train(tmp_path / "model", data, tmp_path / "out", *words) == 0
    before = load_file(tmp_path / "model" / "model.safetensors")
    after = load_file(tmp_path / "out" / "checkpoint" / "model.safetensors")
    moved = {
        name.split("language_model.")[-1]: (after[name] - before[name]).abs().flatten()
        for name in before
    }
    assert moved["lm_head.weight"].quantile(0.1) == pytest.approx(1e-2, rel=0.01)
    assert moved["model.layers.0.mlp.up_proj.weight"].quantile(0.1) < 0.3e-2


def test_a_short_run_warms_up_shortly() -> None:
    """A tenth of its steps, at most fifty."""
    assert [Plan(steps=steps).warmup for steps in (5, 60, 500, 9000)] == [0, 6, 50, 50]


def test_figures_of_steps_that_will_be_taken_again_go(tmp_path: Path) -> None:
    """A line broken off in the middle too; with no figures yet there is nothing to do."""
    notebook = Notebook(tmp_path)
    notebook.cut(0)
    for step in (1, 2, 3):
        notebook.record(step, 1.0, 0.1)
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write('{"st')
    notebook.cut(2)
    assert [line["step"] for line in figures(tmp_path)] == [1, 2]
