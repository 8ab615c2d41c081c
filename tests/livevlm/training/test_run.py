"""Run: what was broken off goes on as if nothing had been."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from livevlm.training.optimize import Descent, cosine
from livevlm.training.run import LOG_EVERY, Run
from tests.livevlm.training.making import run_in

STEPS = 60


class Broken(BaseException):
    """The power went out."""


def stage(run: Run, stops: int | None = None) -> nn.Module:
    """A small stage; it breaks off in the step `stops`."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    descent = Descent(model.named_parameters())

    def learn(step: int) -> Mapping[str, float]:
        if step == stops:
            raise Broken
        rng = np.random.default_rng((7, step))
        inputs = torch.from_numpy(rng.normal(size=(16, 4)).astype(np.float32))
        loss = (model(inputs) - inputs[:, :2].square()).square().mean()
        descent.step(loss, cosine(step, STEPS, 1e-2))
        extra = {"seldom": float(step)} if step % 10 == 0 else {}
        return {"loss": float(loss.detach()), "step_": float(step), **extra}

    run.stage("small", model, descent, STEPS, learn)
    return model


def figures(folder: Path) -> list[dict[str, float]]:
    """The lines of train.jsonl."""
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("stops", [3, 13, 51, 60])
def test_a_stage_broken_off_ends_as_one_that_ran_through(tmp_path: Path, stops: int) -> None:
    """To the bit, wherever it stopped: in the middle between snapshots, before the first, in the last step."""
    through = stage(run_in(tmp_path / "through", save_every=5))
    broken = run_in(tmp_path / "broken", save_every=5)
    with pytest.raises(Broken):
        stage(broken, stops=stops)
    again = stage(broken)
    for one, two in zip(through.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    # And once more: it is done, nothing is learnt again.
    done = stage(broken, stops=STEPS)
    assert torch.equal(next(through.parameters()), next(done.parameters()))
    log = (tmp_path / "broken/train.log").read_text(encoding="utf-8")
    assert (f"going on after step {(stops - 1) // 5 * 5}" in log) == (stops > 5)
    assert f"going on after step {STEPS}\n" in log


def test_no_half_written_snapshot_stays(tmp_path: Path) -> None:
    """A snapshot takes the place of the one before when it is whole; there is one file."""
    stage(run_in(tmp_path, save_every=5))
    assert [path.name for path in tmp_path.glob("*snapshot*")] == ["small.snapshot.pt"]


def test_what_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every 50 steps and at the end a line on the terminal and in the log, and the same figures as JSON: means over the
    steps since the last line that gave them.
    """
    stage(run_in(tmp_path))
    lines = (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()
    assert [line.split()[:2] for line in lines] == [["small", "50/60"], ["small", "60/60"]]
    shown = capsys.readouterr().out
    assert all(line in shown for line in lines)
    first, last = figures(tmp_path)
    assert (first["stage"], first["step"], last["step"]) == ("small", LOG_EVERY, STEPS)
    assert first["step_"] == pytest.approx(25.5)
    assert last["step_"] == pytest.approx(55.5)
    assert first["seldom"] == pytest.approx(30)
    assert last["seldom"] == 60
    assert last["loss"] < first["loss"]
    assert first["minutes"] >= 0
    assert f"loss {last['loss']:.3f}" in lines[1]


def test_the_time_spent_adds_up_over_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes count from the first run's beginning, by the clock of the runs alone."""
    minutes = itertools.count(0, 60)
    clock = SimpleNamespace(monotonic=lambda: float(next(minutes)))
    monkeypatch.setattr("livevlm.training.run.time", clock)
    run = run_in(tmp_path, save_every=20)
    with pytest.raises(Broken):
        stage(run, stops=25)
    stage(run)
    first, last = figures(tmp_path)
    # A minute passes from one look at the clock to the next: up to the snapshot of step 20 in the first run; in the second
    # up to the snapshot of step 40, the line of step 50 and the line of step 60.
    assert first["minutes"] == 1 + 2
    assert last["minutes"] == 1 + 3


def test_precision(tmp_path: Path) -> None:
    """bf16 computes products in bfloat16, fp32 does not, anything else is refused."""
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        run = Run(out=tmp_path / "new", device=torch.device("cpu"), precision=precision)
        with run.autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    with pytest.raises(AssertionError, match="fp8"):
        Run(out=tmp_path, device=torch.device("cpu"), precision="fp8")
