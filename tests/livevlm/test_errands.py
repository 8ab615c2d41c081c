"""Errands on the engine: sizes, searching, forgetting, pictures; step by step, on the toy backbone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from livevlm.answer import question_queries
from livevlm.engine import Engine, EngineOptions
from livevlm.errors import (
    LiveVLMError,
    NoFramesYet,
    NotErased,
    QueueFull,
    RangeNotInMemory,
    StreamNotFound,
)
from livevlm.messages import (
    Answer,
    AnswerEvent,
    Errand,
    Forget,
    Forgotten,
    Found,
    Look,
    Measure,
    Measured,
    Picture,
    Result,
    Search,
    TimeRange,
)
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone
from livevlm.vision import jpeg
from tests.livevlm.test_engine import Camera, Clock, ask, question, run
from tests.livevlm.tiny import frames

R = TypeVar("R", bound=Result)


def engine(
    *names: str,
    count: int = 20,
    state: Path | None = None,
    archive: bool = True,
    page_choice: str = "shared",
) -> tuple[Engine, dict[str, Camera]]:
    """An engine over cameras ("cam" when none is named) that have seen so many frames, a second apart."""
    cameras = {name: Camera(count) for name in names or ("cam",)}
    made = Engine(
        ToyBackbone(),
        streams=[camera.stream(name) for name, camera in cameras.items()],
        options=EngineOptions(
            memory=MemoryRecipe(
                budget_tokens=96, short_term_frames=4, archive=archive, page_choice=page_choice
            ),
            max_waiting=4,
        ),
        metrics=Metrics(),
        clock=Clock(),
        state=state,
    )
    run(made)
    return made, cameras


def results(made: Engine, errand: Errand) -> list[Result | LiveVLMError]:
    """All that the errand's `done` is told."""
    told: list[Result | LiveVLMError] = []
    made.errand(errand, told.append)
    assert told == [], "nothing is done before the model's thread comes by"
    run(made)
    return told


def do(made: Engine, errand: Errand, kind: type[R]) -> R:
    """The one result of an errand."""
    (result,) = results(made, errand)
    if isinstance(result, LiveVLMError):
        raise result
    assert isinstance(result, kind)
    return result


def span(start: float, end: float) -> TimeRange:
    """Seconds of stream time."""
    return TimeRange(from_s=start, to_s=end)


def test_the_sizes_of_every_memory_are_told() -> None:
    """All tiers, the archive's pictures, and how far back it reaches; of one stream or of all."""
    made, _ = engine("cam", "yard")
    both = do(made, Measure(), Measured).memories
    (one,) = do(made, Measure(stream="yard"), Measured).memories
    assert [size.stream for size in both] == ["cam", "yard"]
    assert one == both[1]
    assert one.tokens["short"] == 4 * 16
    assert one.tokens["long"] == 96
    assert one.tokens["archive"] == 20 * 16
    assert (one.pictures, one.from_s, one.to_s) == (20, 0.0, 19.0)
    assert one.as_of is not None
    assert one.as_of.stream_s == 19.0
    assert one.host_bytes > 0
    assert (one.disk_bytes, one.error) == (0, None)


def test_searching_without_an_archive_finds_what_an_answer_would_be_given_from() -> None:
    """The same spans, scores and tiers as the evidence of an answer to the same words."""
    made, _ = engine(archive=False)
    found = do(made, Search(stream="cam", text="What do you see?", limit=5), Found)
    answer = ask(made, question(max_evidence=5))[-1]
    assert isinstance(answer, Answer)
    assert (found.as_of, found.spans) == (answer.as_of, answer.evidence)
    assert found.spans


@pytest.mark.parametrize("page_choice", ["shared", "layer"])
def test_searching_ranks_all_that_the_archive_holds(page_choice: str) -> None:
    """Each frame's score is its pages' share: a softmax over the mean keys of all pages, meant over layers, which comes last
    where each layer chooses and first where all choose together; here a page is a frame. The best ones are told, neighbours
    joined, each with its picture.
    """
    made, _ = engine(page_choice=page_choice)
    memory = made._roster.ingest("cam").memory
    assert memory.archive is not None
    ids = torch.tensor([list(memory.archive.pages(None, memory.archive.end_number))] * 2)
    keys = memory.archive.read(ids).keys.unflatten(2, (20, 16)).mean(3)  # (L, G, 20, D)
    backbone = made._preparation.backbone
    asked = question_queries(backbone, memory, backbone.codec.encode("a cup"))
    query = asked.unflatten(1, (2, 2)).mean((2, 3))  # (L, G, D)
    scores = torch.einsum("lgd,lgpd->lp", query, keys) / 12**0.5
    each = scores.double()
    share = each.mean(0).softmax(0) if page_choice == "shared" else each.softmax(1).mean(0)
    every = do(made, Search(stream="cam", text="a cup", limit=20), Found).spans
    assert sum(one.score for one in every) == pytest.approx(1)
    assert [(one.from_s, one.to_s, one.tier) for one in sorted(every, key=lambda s: s.from_s)] == [
        (0.0, 15.0, "archive"),
        (16.0, 19.0, "short"),
    ]
    for limit in (1, 3, 7):
        found = do(made, Search(stream="cam", text="a cup", limit=limit), Found).spans
        best = set(share.topk(limit).indices.tolist())
        told = {n for one in found for n in range(int(one.from_s), int(one.to_s) + 1)}
        assert told == best
        for one in found:
            inside = range(int(one.from_s), int(one.to_s) + 1)
            assert one.score == pytest.approx(sum(share[n].item() for n in inside), rel=1e-4)
            assert one.picture == max(inside, key=lambda n: share[n].item())
            assert (one.from_utc, one.to_utc) == (one.from_s + 1000, one.to_s + 1000)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_searching_stays_inside_a_time() -> None:
    """And says so where nothing is remembered of it."""
    made, _ = engine()
    found = do(made, Search(stream="cam", text="a cup", time=span(3, 6)), Found)
    assert found.spans
    assert all(3 <= one.from_s <= one.to_s <= 6 for one in found.spans)
    with pytest.raises(RangeNotInMemory):
        do(made, Search(stream="cam", text="a cup", time=span(100, 200)), Found)


def test_searching_changes_nothing() -> None:
    """A memory that was searched gives the same answers as one that never was."""
    searched, fresh = engine()[0], engine()[0]
    for number in range(5):
        do(searched, Search(stream="cam", text=f"thing {number}"), Found)
    one, other = (ask(made, question())[-1] for made in (searched, fresh))
    assert isinstance(one, Answer)
    assert isinstance(other, Answer)
    assert (one.text, one.evidence) == (other.text, other.evidence)


def test_what_was_forgotten_is_nowhere() -> None:
    """Neither evidence nor picture nor time of it is left, what was before and after it is, and it is counted."""
    made, _ = engine()
    before = do(made, Measure(), Measured).memories[0]
    done = do(made, Forget(stream="cam", time=span(5, 12)), Forgotten)
    after = do(made, Measure(), Measured).memories[0]
    assert (done.archive_tokens, done.frames) == (8 * 16, 8)
    assert done.device_tokens == sum(
        before.tokens[tier] - after.tokens[tier] for tier in ("long", "short")
    )
    assert (after.pictures, after.from_s, after.to_s) == (12, 0.0, 19.0)
    with pytest.raises(RangeNotInMemory):
        do(made, Search(stream="cam", text="a cup", time=span(5, 12)), Found)
    found = do(made, Search(stream="cam", text="a cup", limit=20), Found).spans
    assert found
    assert all(one.to_s < 5 or one.from_s > 12 for one in found)
    assert [
        do(made, Look(stream="cam", frame=n), Picture).jpeg is None for n in (4, 5, 12, 13)
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_forgetting_the_last_minute_takes_what_still_waits() -> None:
    """What arrived before is erased though the model had not seen it; what comes later is remembered."""
    made, cameras = engine(count=10)
    cameras["cam"].waiting = frames(20, size=(64, 64))[10:17]
    told: list[Result | LiveVLMError] = []
    made.errand(Forget(stream="cam", time=TimeRange(last_s=100)), told.append)
    made.step()
    assert isinstance(told[0], Forgotten)
    assert cameras["cam"].waiting == []
    assert told[0].frames == 17
    cameras["cam"].waiting = frames(20, size=(64, 64))[17:]
    run(made)
    size = do(made, Measure(), Measured).memories[0]
    assert (size.from_s, size.to_s, size.tokens["archive"]) == (17.0, 19.0, 3 * 16)


def test_forgetting_all_leaves_a_stream_that_goes_on() -> None:
    """A question about nothing fails with words, and the next frames are remembered as ever."""
    made, cameras = engine()
    assert do(made, Forget(stream="cam", time=None), Forgotten).frames == 20
    assert made.streams()[0].memory_from_s is None
    answer = ask(made, question())[-1]
    assert isinstance(answer, Answer)
    assert answer.failure is not None
    assert (answer.failure.code, "forgotten" in answer.failure.message) == (
        "range_not_in_memory",
        True,
    )
    cameras["cam"].waiting = frames(24, size=(64, 64))[20:]
    run(made)
    after = ask(made, question("again"))[-1]
    assert isinstance(after, Answer)
    assert after.failure is None
    assert all(one.from_s >= 20 for one in after.evidence)


def test_a_running_answer_keeps_what_it_recalled() -> None:
    """It was accepted before; its words are those that it would have said."""
    alone = ask(engine()[0], question(max_tokens=12))[-1]
    made, _ = engine()
    events: list[AnswerEvent] = []
    made.submit(question(max_tokens=12), events.append)
    made.step()
    do(made, Forget(stream="cam", time=None), Forgotten)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert isinstance(alone, Answer)
    assert (answer.text, answer.status) == (alone.text, alone.status)


def test_forgetting_nothing_is_no_error() -> None:
    """A time of which nothing is remembered is forgotten already."""
    done = do(engine()[0], Forget(stream="cam", time=span(100, 200)), Forgotten)
    assert (done.device_tokens, done.archive_tokens, done.frames) == (0, 0, 0)


def test_without_an_archive_the_device_alone_forgets() -> None:
    """Frames are counted there, and there are no pictures."""
    made, _ = engine(archive=False)
    done = do(made, Forget(stream="cam", time=span(16, 19)), Forgotten)
    assert (done.device_tokens, done.archive_tokens, done.frames) == (64, 0, 4)
    assert do(made, Look(stream="cam", frame=3), Picture).jpeg is None


def test_a_frame_is_shown_by_its_number_and_by_its_time() -> None:
    """It is the picture that was seen then; by time it is the nearest one inside of it."""
    made, _ = engine()
    seen = frames(20, size=(64, 64))
    for number in (0, 7, 19):
        shown = do(made, Look(stream="cam", frame=number), Picture)
        assert shown.jpeg == jpeg(seen[number].image)
    for at, number in ((0.0, 0), (6.6, 7), (7.4, 7), (19.0, 19), (21.0, 19), (-2.0, 0)):
        by_time = do(made, Look(stream="cam", time=span(at - 2.5, at + 2.5)), Picture)
        assert by_time == do(made, Look(stream="cam", frame=number), Picture), at
    utc = TimeRange(from_s=1006.5, to_s=1007.5, utc=True)
    assert do(made, Look(stream="cam", time=utc), Picture) == do(
        made, Look(stream="cam", frame=7), Picture
    )


@pytest.mark.parametrize(
    "errand",
    [
        Look(stream="cam", frame=20),
        Look(stream="cam", frame=-1),
        Look(stream="cam", time=span(30, 35)),
        Look(stream="cam", time=span(7.2, 7.6)),
    ],
)
def test_a_picture_that_is_not_kept_is_none(errand: Look) -> None:
    """Frames that there never were, and times at which there was none."""
    assert do(engine()[0], errand, Picture).jpeg is None


def test_evidence_names_a_frame_inside_of_it_whose_picture_is_kept() -> None:
    """So it can be looked at."""
    made, _ = engine()
    answer = ask(made, question(max_evidence=6))[-1]
    assert isinstance(answer, Answer)
    for one in answer.evidence:
        assert one.picture is not None
        assert one.from_s <= one.picture <= one.to_s
    bare = ask(engine(archive=False)[0], question())[-1]
    assert isinstance(bare, Answer)
    assert [one.picture for one in bare.evidence] == [None] * len(bare.evidence)


def holding(folder: Path, needle: bytes) -> list[Path]:
    """The files that hold some bytes."""
    return [file for file in folder.rglob("*") if file.is_file() and needle in file.read_bytes()]


def test_no_file_holds_what_was_forgotten(tmp_path: Path) -> None:
    """The keys of a forgotten frame were in journal or snapshot and archive, and are in no file any more; a restart finds the
    rest.
    """
    made, _ = engine(state=tmp_path)
    archive = made._roster.ingest("cam").memory.archive
    assert archive is not None
    (first,) = archive.pages((7.0, 7.0), archive.end_number)
    page = archive.read(torch.tensor([[first], [first]]))
    needle = page.keys[0, 0, 0].numpy().tobytes()
    assert {file.suffix for file in holding(tmp_path, needle)} >= {".journal", ".rows"}
    do(made, Forget(stream="cam", time=span(7, 7)), Forgotten)
    assert holding(tmp_path, needle) == []
    made.close()
    assert holding(tmp_path, needle) == []
    again, _ = engine(count=0, state=tmp_path)
    size = do(again, Measure(), Measured).memories[0]
    assert (size.pictures, size.to_s) == (19, 19.0)
    assert do(again, Look(stream="cam", frame=7), Picture).jpeg is None
    again.close()


def test_a_disk_that_fails_is_told_and_forgetting_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that something is gone while a file may hold it; the daemon goes on."""
    made, _ = engine(state=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("memory.state.write_record", failing)
        with pytest.raises(NotErased, match="may still lie on disk"):
            do(made, Forget(stream="cam", time=span(5, 6)), Forgotten)
    assert do(made, Forget(stream="cam", time=span(5, 6)), Forgotten).archive_tokens == 0
    assert do(made, Measure(), Measured).memories[0].pictures == 18
    made.close()


def test_sizes_tell_that_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails is seen before somebody counts on what it holds."""
    made, cameras = engine(count=4, state=tmp_path)
    assert do(made, Measure(), Measured).memories[0].error is None
    with monkeypatch.context() as patched:
        patched.setattr("memory.state.write_record", failing)
        cameras["cam"].waiting = frames(8, size=(64, 64))[4:]
        run(made)
    error = do(made, Measure(), Measured).memories[0].error
    assert error is not None
    assert "No space left" in error
    made.close()


def failing(*_: object) -> int:
    """A disk without room."""
    raise OSError(28, "No space left on device")


def test_errands_are_refused_where_they_cannot_be_run() -> None:
    """An unknown stream, a full queue, nothing seen yet."""
    made, _ = engine(count=0)
    with pytest.raises(StreamNotFound, match="there are: cam"):
        made.errand(Measure(stream="nowhere"), lambda _: None)
    with pytest.raises(NoFramesYet):
        do(made, Search(stream="cam", text="a cup"), Found)
    for _ in range(4):
        made.errand(Measure(), lambda _: None)
    with pytest.raises(QueueFull):
        made.errand(Measure(), lambda _: None)


def test_errands_that_wait_when_the_engine_ends_are_told() -> None:
    """Nobody waits for ever."""
    made, _ = engine()
    told: list[Result | LiveVLMError] = []
    made.errand(Measure(), told.append)
    made.close()
    assert isinstance(told[0], LiveVLMError)
    assert len(told) == 1


def test_errands_may_come_from_any_thread() -> None:
    """They are run on the thread that steps, and on no other."""
    made, _ = engine()
    ran: list[threading.Thread] = []

    def remember(_: object) -> None:
        ran.append(threading.current_thread())

    other = threading.Thread(target=lambda: made.errand(Measure(), remember))
    other.start()
    other.join()
    run(made)
    assert ran == [threading.current_thread()]
