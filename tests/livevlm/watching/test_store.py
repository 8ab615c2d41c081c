"""Watches on disk."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livevlm.errors import ConfigError
from livevlm.watching.life import STATES, Life, resumed
from livevlm.watching.store import Kept, WatchStore
from livevlm.watching.watch import Rule, Watch, WatchRequest, Webhook

TIMES = st.floats(0, 4e9)
KEPT = st.builds(
    Kept,
    watch=st.builds(
        Watch,
        id=st.text(min_size=1, max_size=20),
        request=st.builds(
            WatchRequest,
            stream=st.text(max_size=10),
            condition=st.text(min_size=1, max_size=50).filter(lambda text: text.strip()),
            name=st.none() | st.just("the door"),
            rule=st.builds(Rule, mode=st.sampled_from(["once", "repeat"]), threshold=st.just(0.7)),
            lasts_s=st.none() | st.floats(1, 1e6),
            webhook=st.none()
            | st.just(Webhook(url_env="LIVEVLM_WEBHOOK_A", secret_env="LIVEVLM_WEBHOOK_KEY")),
        ),
        created_utc=TIMES,
        expires_utc=TIMES | st.just(math.inf),
    ),
    life=st.builds(
        Life, state=st.sampled_from(STATES), streak=st.integers(0, 3), ready_utc=TIMES
    ).map(resumed),
    triggers=st.integers(0, 9),
    triggered_utc=st.none() | TIMES,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(watches=st.lists(KEPT, max_size=4))
def test_what_is_written_is_read_again(tmp_path: Path, watches: list[Kept]) -> None:
    """All of every watch, whatever its texts; and no half-written file is left beside it."""
    store = WatchStore(tmp_path / "watches.json")
    store.write(watches)
    assert store.read() == watches
    assert [file.name for file in tmp_path.iterdir()] == ["watches.json"]


def test_without_a_file_there_are_no_watches(tmp_path: Path) -> None:
    """A new state directory holds none."""
    assert WatchStore(tmp_path / "watches.json").read() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "watches": []}',
        '{"format": 1, "watches": [{}]}',
        "\0",
        "null",
    ],
)
def test_a_file_that_is_none_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    """Watches are not silently lost: the error names the file and the way out."""
    file = tmp_path / "watches.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"watches\.json cannot be read: .*move the file away"):
        WatchStore(file).read()
    assert file.read_text() == text


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A full disk, or a folder that has gone, costs no watch."""
    store = WatchStore(tmp_path / "watches.json")
    store.write([])
    (tmp_path / "watches.part").mkdir()
    with pytest.raises(OSError, match=r"watches\.part"):
        store.write([])
    assert store.read() == []
