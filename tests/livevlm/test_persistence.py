"""The state directory: one daemon at a time, one model, and a clear word where it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livevlm.errors import ConfigError
from livevlm.persistence import StateDir, fingerprint_of
from livevlm.remembering import MemoryRecipe, prompt_block
from livevlm.toy import ToyBackbone

PRINT = {"model": "toy", "memory.retention": "vsb"}


def test_it_is_made_and_taken_again(tmp_path: Path) -> None:
    """The first daemon writes what its memories are made with; the next with the same settings goes on."""
    path = tmp_path / "deep" / "state"
    first = StateDir(path, PRINT)
    first.close()
    again = StateDir(path, PRINT)
    assert again.stream("front") == path / "streams" / "front"
    again.close()
    assert json.loads((path / "fingerprint.json").read_text()) == PRINT


def test_two_daemons_cannot_share_it(tmp_path: Path) -> None:
    """The second is told so, and gets it once the first is gone."""
    first = StateDir(tmp_path, PRINT)
    with pytest.raises(ConfigError, match="in use by another daemon"):
        StateDir(tmp_path, PRINT)
    first.close()
    StateDir(tmp_path, PRINT).close()


def test_foreign_memory_is_refused_and_both_are_named(tmp_path: Path) -> None:
    """Another model's keys mean nothing here: the error says what differs, and the directory stays usable for the right one."""
    StateDir(tmp_path, PRINT).close()
    with pytest.raises(ConfigError, match=r"memory\.retention was vsb, is topk.*set another"):
        StateDir(tmp_path, PRINT | {"memory.retention": "topk"})
    StateDir(tmp_path, PRINT).close()


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_spoilt_fingerprint_is_an_error(tmp_path: Path, content: str) -> None:
    """Nobody guesses whose memory it is."""
    (tmp_path / "fingerprint.json").write_text(content)
    with pytest.raises(ConfigError):
        StateDir(tmp_path, PRINT)


def test_a_missing_fingerprint_beside_memories_is_an_error(tmp_path: Path) -> None:
    """An emptied directory is new; one with streams is not."""
    (tmp_path / "streams").mkdir()
    with pytest.raises(ConfigError, match="nobody knows whose"):
        StateDir(tmp_path, PRINT)


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    """The path and the setting are named."""
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigError, match=r"state.*cannot be used.*server\.state_dir"):
        StateDir(tmp_path / "state", PRINT)


def test_the_fingerprint_tells_models_and_settings_apart() -> None:
    """What shapes keys and values changes it, how they are read does not."""

    def of(seed: int = 0, **settings: object) -> dict[str, str]:
        backbone = ToyBackbone(seed=seed)
        recipe = {"retention": "vsb", "reader": "par", "retrieval_ratio": 0.4} | settings
        return fingerprint_of(
            backbone, prompt_block(backbone, "watch"), recipe, {"reducer": "pool"}
        )

    assert of() == of()
    assert of() == of(reader="full", retrieval_ratio=1.0)
    assert of(page_choice="layer") == of(page_choice="shared")
    assert of() != of(retention="topk")
    assert of() != of(seed=1)
    assert MemoryRecipe().archive
