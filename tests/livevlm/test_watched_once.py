"""A recording is watched once: broken off and killed wherever one likes, every frame of it is remembered, and none twice."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livevlm.config import Config, ServerConfig
from livevlm.engine import Engine, EngineOptions
from livevlm.intake import build_intake
from livevlm.messages import Forget, Forgotten, TimeRange
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.roster import Watched
from livevlm.toy import ToyBackbone
from livevlm.watchconfig import StreamConfig
from memory.archive.record import entries_of, header_of
from streams import Recording
from tests.livevlm.test_engine import RECIPE, Clock

SECONDS, FPS = 20, 2
WHOLE = [number / FPS for number in range(SECONDS * FPS)]
EVERYTHING = MemoryRecipe(retention="full", reader="full")


def film(path: Path, seconds: int = SECONDS) -> str:
    """A recording, and its path."""
    with Recording(path, (32, 32), 10) as recording:
        for number in range(10 * seconds):
            recording.write(np.full((32, 32, 3), number % 256, np.uint8))
    return str(path)


class Life:
    """An engine that watches one recording, from its start until it is closed or killed."""

    def __init__(
        self, state: Path, url: str, recipe: MemoryRecipe = EVERYTHING, **more: object
    ) -> None:
        stream = StreamConfig(url=url, fps=FPS, speed="max", **more)  # type: ignore[arg-type]
        self.state = state
        self.intake = build_intake(
            "hall",
            Config(streams={"hall": stream}, server=ServerConfig(state_dir=str(state))),
            environ={},
            size=(16, 16),
            wake=lambda: None,
        )
        self.engine = Engine(
            ToyBackbone(),
            streams=[],
            options=EngineOptions(memory=recipe, chunk_frames=3, batch_frames=3),
            metrics=Metrics(),
            clock=Clock(),
            state=state,
        )
        self.watched: Watched = self.engine.prepare(self.intake.stream)
        self.engine.admit(self.watched)
        self.engine.step()
        self.intake.reader.start()

    def see(self, frames: float = float("inf")) -> Life:
        """Watch on until so many frames were seen in this life, or all there are."""
        while self.watched.status().frames_encoded < frames:
            over = self.intake.reader.status().state in ("ended", "failed")
            if not self.engine.step() and over and not len(self.intake.mailbox):
                break
        return self

    @property
    def received(self) -> int:
        """Pictures that this life was shown."""
        return self.intake.reader.status().received

    def times(self) -> list[float]:
        """The stream time of every frame on the device, once for each time that it is remembered."""
        memory = self.watched.ingest.memory
        return tokens_to_frames(memory.times[0, memory.tiers.prompt :].tolist())

    def forget(self, time: TimeRange | None = None) -> None:
        """As a client would have it."""
        results: list[object] = []
        self.engine.errand(Forget(stream="hall", time=time), results.append)
        while not results:
            self.engine.step()
        assert isinstance(results[0], Forgotten)

    def close(self) -> None:
        """The daemon is stopped."""
        self.intake.stop(10)
        self.engine.close()

    def kill(self, torn: int = 0) -> None:
        """Gone without a word. torn: bytes of the journal that had not come to the disk."""
        self.intake.stop(10)
        self.watched.ingest.leave()
        journal = max((self.state / "streams" / "hall" / "memory").glob("*.journal"))
        with journal.open("r+b") as file:
            file.truncate(max(0, journal.stat().st_size - torn))


def tokens_to_frames(times: list[float]) -> list[float]:
    """Times of tokens -> times of frames, of 16 tokens each; one that is remembered twice is there twice."""
    counts = Counter(round(one, 6) for one in times)
    assert all(count % 16 == 0 for count in counts.values()), counts
    return sorted(time for time, count in counts.items() for _ in range(count // 16))


def archived(state: Path) -> list[float]:
    """The stream time of every frame that lies in the archive's files."""
    times: list[float] = []
    for path in (state / "streams" / "hall" / "archive").glob("*.log"):
        log = path.read_bytes()
        header = header_of(log)
        assert header is not None
        for entry in entries_of(log, header.size):
            times += entry.record.tokens["time"].tolist()
    return tokens_to_frames(times)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Recordings of one length, of every kind that is gone on with."""
    path = tmp_path_factory.mktemp("films")
    return [film(path / "film.mp4"), f"test:?duration_s={SECONDS}&fps=10"]


@given(
    lives=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(["closed", "killed", "torn"]),
            st.integers(0, 60_000),
        ),
        max_size=5,
    ),
    kind=st.integers(0, 1),
    archive=st.booleans(),
)
@example(lives=[(1, "torn", 1)], kind=0, archive=True)  # nothing was noted, and the archive has it
@settings(max_examples=12, deadline=None)
def test_however_often_it_is_broken_off_each_frame_is_remembered_once(
    tmp_path_factory: pytest.TempPathFactory,
    films: list[str],
    lives: list[tuple[int, str, int]],
    kind: int,
    archive: bool,
) -> None:
    """Stopped, killed, or killed with a journal that is torn at any byte: in the end it is as if there had been no break."""
    state = tmp_path_factory.mktemp("state")
    recipe = RECIPE if archive else EVERYTHING
    for frames, end, torn in lives:
        life = Life(state, films[kind], recipe).see(frames)
        if end == "closed":
            life.close()
        else:
            life.kill(torn if end == "torn" else 0)
    life = Life(state, films[kind], recipe).see()
    assert life.intake.reader.status().state == "ended"
    if not archive:
        assert life.times() == WHOLE
    life.close()
    if archive:
        assert archived(state) == WHOLE
    again = Life(state, films[kind], recipe).see()
    assert (again.received, again.intake.reader.status().state) == (0, "ended")
    again.close()


def test_nothing_is_shown_again_that_was_seen(tmp_path: Path) -> None:
    """The second life is shown what the first was not, and no more; its stream time is the recording's own."""
    url = film(tmp_path / "a.mp4")
    first = Life(tmp_path / "state", url).see(15)
    seen = first.watched.status().frames_encoded
    first.close()
    second = Life(tmp_path / "state", url).see()
    # Ten pictures a second, two of them sampled, the first at 0.
    assert second.received == 10 * SECONDS - (5 * (seen - 1) + 1)
    assert second.times() == WHOLE
    second.close()


def test_the_end_is_known_though_nobody_closed(tmp_path: Path) -> None:
    """Killed after all was seen: it is not opened again, and stands as ended at once with all that is remembered."""
    url = film(tmp_path / "a.mp4")
    Life(tmp_path / "state", url).see().kill()
    os.rename(url, tmp_path / "moved.mp4")
    again = Life(tmp_path / "state", url).see()
    assert again.intake.reader.status().state == "failed"
    again.close()
    os.rename(tmp_path / "moved.mp4", url)
    again = Life(tmp_path / "state", url).see()
    assert (again.intake.reader.status().state, again.received) == ("ended", 0)
    assert again.times() == WHOLE
    again.close()


def test_one_that_is_stopped_before_its_end_has_not_ended(tmp_path: Path) -> None:
    """What waits for the model when the daemon stops is seen by the next one."""
    url = film(tmp_path / "a.mp4")
    life = Life(tmp_path / "state", url)
    while not len(life.intake.mailbox):
        pass
    life.close()
    again = Life(tmp_path / "state", url).see()
    assert again.times() == WHOLE
    again.close()


@pytest.mark.parametrize("how", ["written anew", "another address"])
def test_another_recording_is_watched_from_its_start_behind_the_old_one(
    tmp_path: Path, how: str
) -> None:
    """What is remembered stays, and its times with it; the new one is then watched once, too."""
    url = film(tmp_path / "a.mp4")
    Life(tmp_path / "state", url).see().close()
    url = film(tmp_path / ("a.mp4" if how == "written anew" else "b.mp4"), 5)
    for received in (50, 0):
        life = Life(tmp_path / "state", url).see()
        times = life.times()
        assert times[:40] == WHOLE
        assert len(times) == 50
        assert np.diff(times[40:]) == pytest.approx(0.5)
        assert times[40] > WHOLE[-1]
        assert life.received == received
        life.close()


def test_a_camera_under_its_name_ends_a_recording(tmp_path: Path) -> None:
    """Stream time has gone on with something else: the recording is watched from its start behind that."""
    url = film(tmp_path / "a.mp4")
    Life(tmp_path / "state", url).see(15).close()
    Life(tmp_path / "state", url, loop=True).see(50).close()
    life = Life(tmp_path / "state", url).see()
    assert life.received == 10 * SECONDS
    assert (np.diff(life.times()) > 0).all()
    life.close()


def test_a_loop_goes_round_as_before(tmp_path: Path) -> None:
    """It has no end, so none is kept: each start begins with its beginning."""
    url = film(tmp_path / "a.mp4", 5)
    for _ in range(2):
        life = Life(tmp_path / "state", url, loop=True).see(25)
        assert life.watched.status().frames_encoded >= 25
        life.close()


def test_what_is_forgotten_as_a_whole_is_watched_anew(tmp_path: Path) -> None:
    """A memory in which nothing is left has seen nothing; one that forgot a part does not look at that part again."""
    url = film(tmp_path / "a.mp4")
    life = Life(tmp_path / "state", url).see()
    life.forget(TimeRange(from_s=15.0, to_s=30.0))
    life.close()
    life = Life(tmp_path / "state", url).see()
    assert (life.times(), life.received) == (WHOLE[:30], 0)
    life.forget()
    life.kill()
    life = Life(tmp_path / "state", url).see()
    assert life.times() == WHOLE
    life.close()


def test_what_comes_behind_a_forgetting_keeps_its_place(tmp_path: Path) -> None:
    """Forgotten in the middle of the recording, it goes on with what is left of it, in this life and the next."""
    url = film(tmp_path / "a.mp4")
    life = Life(tmp_path / "state", url).see(12)
    seen = life.watched.status().frames_encoded
    life.forget()
    life.see(seen + 6)
    seen_since = life.times()
    assert seen_since[0] >= WHOLE[seen]
    life.close()
    life = Life(tmp_path / "state", url).see()
    assert life.times() == [time for time in WHOLE if time >= seen_since[0]]
    life.close()


def test_a_full_disk_makes_nothing_come_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that were not journalled are seen again, where no archive holds them."""
    url = film(tmp_path / "a.mp4")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    life = Life(tmp_path / "state", url).see(12)
    with monkeypatch.context() as patch:
        patch.setattr("memory.state.write_record", full)
        life.see(24).kill()
    life = Life(tmp_path / "state", url).see()
    assert life.times() == WHOLE
    life.close()
