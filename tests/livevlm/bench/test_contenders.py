"""The table of memories, and what each becomes at a share of a stream."""

from __future__ import annotations

from fractions import Fraction

import pytest

from livevlm.assembly import engine_options
from livevlm.bench.contenders import EVERYTHING, MEMORIES, enter, known
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.remembering import READERS, RETENTIONS
from livevlm.toy import ToyBackbone

CONFIG = Config.model_validate({"version": 1, "model": {"name": "toy"}})
QUARTER = Fraction(1, 4)


class Short(ToyBackbone):
    """Reads as much at once as the bundled model."""

    max_positions = 1280


def test_every_memory_of_the_table_can_be_made() -> None:
    """All retentions and readers take part, and the recipe of each builds."""
    backbone = ToyBackbone()
    entered, skipped = enter(backbone, CONFIG, list(MEMORIES), [QUARTER], frames=64)
    assert not skipped
    assert [one.name for one in entered] == list(MEMORIES)
    for one in entered:
        memory = engine_options(one.config).memory
        memory.build(backbone, prompt="\n", frame_tokens=16, chunk_frames=4)
        assert one.name.split("+")[:2] == [memory.retention, memory.reader]
        assert memory.archived == ("archive" in one.name)
    parts = [name.split("+") for name in MEMORIES]
    assert {part[0] for part in parts} == set(RETENTIONS)
    assert {part[1] for part in parts} == set(READERS)


@pytest.mark.parametrize(("frames", "share", "short", "long"), [
    (60, Fraction(1, 4), 7, 128), (240, Fraction(1, 16), 7, 128), (1875, Fraction(1, 44), 8, 553),
    (1875, Fraction(1, 100), 8, 172),
])  # fmt: skip
def test_short_and_long_term_tokens_make_up_the_share(
    frames: int, share: Fraction, short: int, long: int
) -> None:
    """Together they are the share of the stream's tokens; the newest frames take at most half of it."""
    (one,), _ = enter(Short(), CONFIG, ["vsb+par"], [share], frames=frames)
    memory = one.config.memory
    assert (memory.short_term_frames, memory.budget_tokens) == (short, long)
    assert memory.budget_tokens + 16 * short == int(frames * 16 * share)


def test_what_the_model_cannot_read_is_left_out_and_said() -> None:
    """Everything read of a long stream, a quarter of one, and so little that no page of it can be read."""
    names = ["full+full", "full+par", "vsb+par"]
    entered, skipped = enter(
        Short(), CONFIG, names, [QUARTER, Fraction(1, 44), Fraction(1, 4400)], frames=1875
    )
    assert [str(one) for one in entered] == ["full+par at full", "vsb+par at 1/44"]
    assert [(one.name, one.of_everything) for one in skipped] == [
        ("full+full", "full"), ("vsb+par", "1/4"), ("vsb+par", "1/4400"),
    ]  # fmt: skip
    assert "the model reads" in skipped[1].why
    assert "not one page" in skipped[2].why


def test_everything_kept_takes_part_once_whatever_the_shares() -> None:
    """It has no budget; and ReKV stays away where frames carry the time, as the daemon refuses it."""
    shares = [QUARTER, Fraction(1, 8)]
    entered, _ = enter(ToyBackbone(), CONFIG, EVERYTHING, shares, frames=64)
    assert [one.of_everything for one in entered] == ["full"] * 4
    ingest = CONFIG.ingest.model_copy(update={"timestamps": True})
    stamped = CONFIG.model_copy(update={"ingest": ingest})
    _, skipped = enter(ToyBackbone(), stamped, EVERYTHING, shares, frames=64)
    assert [one.name for one in skipped] == ["full+rekv"]


def test_a_memory_of_no_name_is_refused() -> None:
    """With the name that was meant."""
    assert known(["vsb+par"]) == ["vsb+par"]
    with pytest.raises(ConfigError, match=r"vbs\+par is not known; did you mean vsb\+par"):
        known(["vbs+par"])
