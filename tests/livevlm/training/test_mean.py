"""The mean of checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from livevlm.training.mean import main, mean_of


def checkpoint(folder: Path, value: float, *, rows: int = 2) -> Path:
    """A folder with one matrix of bfloat16, all of it one value, and a configuration."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file(
        {"weight": torch.full((rows, 3), value, dtype=torch.bfloat16)}, folder / "model.safetensors"
    )
    return folder


def test_every_weight_is_the_mean_and_the_rest_is_the_first_ones(tmp_path: Path) -> None:
    """Taken in float32 and rounded once; type and other files stay."""
    given = [checkpoint(tmp_path / str(one), one) for one in (1.0, 2.0, 6.0)]
    assert main([*map(str, given), "--out", str(tmp_path / "out")]) == 0
    found = load_file(tmp_path / "out" / "model.safetensors")["weight"]
    assert torch.equal(found, torch.full((2, 3), 3.0, dtype=torch.bfloat16))
    assert (tmp_path / "out" / "config.json").exists()


def test_checkpoints_of_other_shapes_are_refused_by_name(tmp_path: Path) -> None:
    """Nothing is written then."""
    given = [checkpoint(tmp_path / "a", 1.0), checkpoint(tmp_path / "b", 1.0, rows=4)]
    with pytest.raises(ValueError, match="b is not of the same shape"):
        mean_of(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()
