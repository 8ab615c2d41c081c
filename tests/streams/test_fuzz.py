"""Damaged files, a few seconds of them; `python -m tests.streams.fuzz MINUTES` goes on for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.streams.fuzz import SEEDS, damaged, fuzz, make_seeds
from tests.streams.watcher import watch

# The same files every time: a test that fails now and then says nothing. New ones are for the command.
SEED = 20_261_121


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole files."""
    path = tmp_path_factory.mktemp("fuzz")
    make_seeds(path)
    return path


def test_damaged_files_are_read_or_refused(folder: Path) -> None:
    """No crash, no hang, no error but the room's own, no silence, no run-away memory; the message names seed and case."""
    report = fuzz(SEED, 4.0, folder)
    assert not report.findings, (SEED, report.findings)
    assert report.outcomes["whole"]
    assert sum(report.outcomes.values()) > report.outcomes["whole"]


def test_the_whole_files_are_read(folder: Path) -> None:
    """What is damaged is worth damaging: every one of them gives all its pictures."""
    for one, (name, recipe) in zip(
        watch([folder / name for name in SEEDS], hang_s=600), SEEDS.items(), strict=True
    ):
        assert (name, one.code, len(one.numbers)) == (name, "", recipe.count)


def test_a_case_can_be_made_again(folder: Path) -> None:
    """A finding is a seed and a number: both together are the file."""
    cases = [damaged(folder, SEED, number) for number in range(20)]
    assert cases == [damaged(folder, SEED, number) for number in range(20)]
    assert len({data for _, data in cases}) == 20
