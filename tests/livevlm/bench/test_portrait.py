"""The pictures of the documentation come from a run, and say what was there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from livevlm.bench import portrait
from livevlm.toy import ToyBackbone


def test_the_run_is_drawn_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two files, and a line a question, asked of what was shown for moments and more than a minute ago."""
    arguments = ["--model", "toy", "--frames", "120", "--out", str(tmp_path), "--threads", "1"]
    assert portrait.main([*arguments, "--json"]) == 0
    for name in ("memory_kept.svg", "memory_read.svg"):
        assert "<svg" in (tmp_path / name).read_text()
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert rows
    for row in rows:
        assert 0 <= row["asked_of_s"] < 60
        assert 0 <= row["hit"] <= 1


def test_what_is_drawn_is_what_is_kept() -> None:
    """The picture's colours add up to the tokens on the device, layer by layer; the newest frames are whole."""
    seen = portrait.watch(ToyBackbone(), np.random.default_rng(0), 120)
    kept = portrait.draw_kept(seen).axes[1].images[0].get_array()
    assert kept is not None
    tiers = seen.memory.tiers
    assert kept.sum(axis=1).tolist() == [tiers.long + tiers.short] * len(kept)
    assert (kept[:, -8:] == 16).all()
