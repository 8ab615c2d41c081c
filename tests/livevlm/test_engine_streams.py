"""Streams that share a batch, and streams that come and go: the engine step by step, on the toy backbone."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor

from livevlm.engine import Engine, EngineOptions
from livevlm.errors import LiveVLMError, StreamExists, StreamNotFound
from livevlm.ingest import StreamIngest
from livevlm.messages import Answer, AnswerEvent, Measure, Measured, Recalled
from livevlm.metrics import Metrics
from livevlm.persistence import erase_stream
from livevlm.toy import ToyBackbone
from tests.livevlm.test_engine import RECIPE, Camera, Clock, ask, question, run


class CountingToy(ToyBackbone):
    """A toy that writes down how many pictures it was shown at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """As any toy does."""
        self.batches.append(len(images))
        return super().encode(images)


def engine(
    cameras: dict[str, Camera], *, batch: int = 4, chunk: int = 4, state: Path | None = None
) -> tuple[Engine, CountingToy]:
    """An engine over the cameras, and its model."""
    toy = CountingToy()
    made = Engine(
        toy,
        streams=[camera.stream(name) for name, camera in cameras.items()],
        options=EngineOptions(memory=RECIPE, batch_frames=batch, chunk_frames=chunk),
        metrics=Metrics(),
        clock=Clock(),
        state=state,
    )
    return made, toy


def add(made: Engine, name: str, camera: Camera) -> Future[None]:
    """Have one more stream watched, as another thread would."""
    return made.admit(made.prepare(camera.stream(name)))


def remove(made: Engine, name: str) -> StreamIngest:
    """Have a stream watched no longer; its memory."""
    gone = made.dismiss(name)
    made.step()
    return gone.result(0)


def names(made: Engine) -> list[str]:
    """The streams that are watched."""
    return [status.name for status in made.streams()]


def test_waiting_frames_of_several_streams_share_a_batch() -> None:
    """Six cameras with a frame each and room for four: four pictures go through the tower at once, then two."""
    cameras = {f"c{number}": Camera(1) for number in range(6)}
    made, toy = engine(cameras)
    run(made)
    assert toy.batches == [4, 2]
    assert [status.frames_encoded for status in made.streams()] == [1] * 6


def test_a_step_takes_one_batch_and_no_more() -> None:
    """However much waits, the next token of an answer waits for so many pictures at most."""
    cameras = {f"c{number}": Camera(20) for number in range(4)}
    made, toy = engine(cameras, batch=6, chunk=2)
    for _ in range(5):
        made.step()
    assert toy.batches == [6] * 5


def test_a_chunk_is_never_made_smaller_by_a_batch() -> None:
    """A batch that is set smaller than a chunk takes one chunk."""
    made, toy = engine({"cam": Camera(8)}, batch=1)
    run(made)
    assert toy.batches == [4, 4]


def test_busy_streams_share_equally_where_a_batch_has_odd_room() -> None:
    """Room for six and chunks of four: nobody is given the small rest each time."""
    cameras = {name: Camera(400) for name in ("a", "b")}
    made, _ = engine(cameras, batch=6)
    for _ in range(30):
        made.step()
    taken = [len(camera.taken) for camera in cameras.values()]
    assert max(taken) - min(taken) <= 4
    assert min(taken) >= 56


def test_a_stream_at_thirty_frames_does_not_starve_one_at_one() -> None:
    """A camera whose mailbox is always full takes no turn from the others: each frame is seen in the step after it came."""
    busy, slow = Camera(2000), [Camera() for _ in range(5)]
    made, _ = engine({"busy": busy, **{f"slow{n}": camera for n, camera in enumerate(slow)}})
    shown = Camera(40).waiting
    for number in range(40):
        for camera in slow:
            camera.waiting.append(shown[number])
        made.step()
        made.step()
        assert [len(camera.taken) for camera in slow] >= [number] * 5
    assert len(busy.taken) >= 80


def test_streams_that_share_batches_remember_as_those_alone() -> None:
    """A neighbour in the batch leaves no trace: each answers as if it had been watched by itself."""
    alone = []
    for count in (3, 5):
        made, _ = engine({"cam": Camera(count)}, chunk=1)
        run(made)
        alone.append(ask(made, question())[-1])
    made, toy = engine({"cam": Camera(3), "yard": Camera(5)}, chunk=1)
    run(made)
    assert toy.batches == [2, 2, 2, 1, 1]
    for name, single in zip(("cam", "yard"), alone, strict=True):
        answer = ask(made, question(name, stream=name))[-1]
        assert isinstance(answer, Answer)
        assert isinstance(single, Answer)
        assert answer.text == single.text
        assert [(one.from_s, one.to_s, one.picture) for one in answer.evidence] == [
            (one.from_s, one.to_s, one.picture) for one in single.evidence
        ]


def test_an_added_stream_is_watched_and_answers() -> None:
    """From the step after it came: its frames are taken in, and it can be asked about."""
    made, _ = engine({"cam": Camera(4)})
    run(made)
    added = add(made, "yard", Camera(6))
    assert names(made) == ["cam"], "nothing is done before the model's thread comes by"
    run(made)
    assert added.result(0) is None
    assert names(made) == ["cam", "yard"]
    answer = ask(made, question(stream="yard"))[-1]
    assert isinstance(answer, Answer)
    assert answer.as_of is not None
    assert answer.as_of.stream_s == 5.0


def test_two_streams_cannot_have_one_name() -> None:
    """The one that was there stays as it was."""
    made, _ = engine({"cam": Camera(4)})
    run(made)
    again = add(made, "cam", Camera(9))
    run(made)
    with pytest.raises(StreamExists, match="'cam'"):
        again.result(0)
    assert made.streams()[0].frames_encoded == 4


def test_adding_holds_nobody_up() -> None:
    """An answer goes on between the preparing of a stream and its coming."""
    made, _ = engine({"cam": Camera(4)})
    events: list[AnswerEvent] = []
    made.submit(question(max_tokens=30), events.append)
    made.step()
    prepared = made.prepare(Camera(4).stream("yard"))
    before = len(events)
    made.step()
    assert len(events) > before
    added = made.admit(prepared)
    run(made)
    assert added.done()
    assert isinstance(events[-1], Answer)


def test_a_removed_stream_is_gone() -> None:
    """From the list, from the sizes, for questions and for errands; the others stay."""
    gone, cam = Camera(100), Camera(4)
    made, _ = engine({"gone": gone, "cam": cam})
    made.step()
    remove(made, "gone")
    run(made)
    taken = len(gone.taken)
    run(made)
    assert len(gone.taken) == taken < 100
    assert names(made) == ["cam"]
    with pytest.raises(StreamNotFound, match=r"gone.*there are: cam"):
        made.submit(question(stream="gone"), lambda _event: None)
    with pytest.raises(StreamNotFound):
        made.errand(Measure(stream="gone"), lambda _result: None)
    told: list[object] = []
    made.errand(Measure(), told.append)
    run(made)
    (sizes,) = told
    assert isinstance(sizes, Measured)
    assert [one.stream for one in sizes.memories] == ["cam"]


def test_removing_what_is_not_there_is_an_error() -> None:
    """It names what there is."""
    made, _ = engine({"cam": Camera()})
    gone = made.dismiss("yard")
    made.step()
    with pytest.raises(StreamNotFound, match="there are: cam"):
        gone.result(0)


def test_questions_about_a_removed_stream_end_with_the_reason() -> None:
    """One that waits fails; one that was begun is finished with what it had recalled."""
    made = Engine(
        ToyBackbone(),
        streams=[Camera(4).stream("cam"), Camera(4).stream("yard")],
        options=EngineOptions(memory=RECIPE, max_active=1),
        metrics=Metrics(),
        clock=Clock(),
    )
    events: dict[str, list[AnswerEvent]] = {"begun": [], "waiting": [], "other": []}
    made.submit(question("begun"), events["begun"].append)
    made.step()
    made.submit(question("waiting"), events["waiting"].append)
    made.submit(question("other", stream="yard"), events["other"].append)
    remove(made, "cam")
    (failed,) = events["waiting"]
    assert isinstance(failed, Answer)
    assert failed.failure is not None
    assert (failed.status, failed.failure.code) == ("failed", "stream_not_found")
    assert "cam was removed" in failed.failure.message
    run(made)
    for id_ in ("begun", "other"):
        answer = events[id_][-1]
        assert isinstance(answer, Answer)
        assert answer.status in ("completed", "incomplete")
    assert not made.cancel("waiting")


def test_a_question_that_slips_in_while_its_stream_is_removed_fails_too() -> None:
    """Between the look at the names and the queue another thread may have removed it: nothing may break, nobody may wait."""
    made, _ = engine({"cam": Camera(4)})
    events: list[AnswerEvent] = []
    made.submit(question(), events.append)
    told: list[object] = []
    made.errand(Measure(stream="cam"), told.append)
    made._roster.remove("cam")
    run(made)
    (answer,) = events
    assert isinstance(answer, Answer)
    assert answer.failure is not None
    assert answer.failure.code == "stream_not_found"
    assert isinstance(told[0], StreamNotFound)


def test_a_name_may_be_used_again() -> None:
    """Without a state directory the new stream has a new memory."""
    made, _ = engine({"cam": Camera(8)})
    run(made)
    remove(made, "cam").close()
    added = add(made, "cam", Camera(2))
    run(made)
    assert added.done()
    assert [status.frames_encoded for status in made.streams()] == [2]
    recalled = ask(made, question())[0]
    assert isinstance(recalled, Recalled)
    assert recalled.as_of.stream_s == 1.0


def test_a_stream_that_comes_back_takes_up_its_memory(tmp_path: Path) -> None:
    """With a state directory what was closed is there again, and the new frames stand behind it."""
    made, _ = engine({"cam": Camera(8)}, state=tmp_path)
    run(made)
    remove(made, "cam").close()
    add(made, "cam", Camera())
    run(made)
    (status,) = made.streams()
    assert status.as_of is not None
    assert (status.as_of.stream_s, status.memory_tokens["archive"]) == (7.0, 8 * 16)
    answer = ask(made, question())[-1]
    assert isinstance(answer, Answer)
    assert answer.status in ("completed", "incomplete")
    made.close()


def test_an_erased_stream_leaves_nothing(tmp_path: Path) -> None:
    """Not in memory and not on disk: whoever comes under its name begins anew."""
    made, _ = engine({"cam": Camera(8), "yard": Camera(8)}, state=tmp_path)
    run(made)
    remove(made, "cam").leave()
    assert erase_stream(tmp_path, "cam")
    assert not erase_stream(tmp_path, "cam"), "there is nothing left"
    assert [path.name for path in (tmp_path / "streams").iterdir()] == ["yard"]
    add(made, "cam", Camera())
    run(made)
    assert {status.name: status.as_of is None for status in made.streams()} == {
        "yard": False,
        "cam": True,
    }
    made.close()


def test_whoever_waits_for_a_stopping_engine_is_told() -> None:
    """An addition that was queued, and one that comes later, both end with the reason."""
    made, _ = engine({"cam": Camera()})
    queued = add(made, "yard", Camera())
    made.close()
    for future in (queued, made.dismiss("cam")):
        with pytest.raises(LiveVLMError, match="stopping"):
            future.result(0)
