"""Replay: deterministic, complete, and each answer from exactly what was seen up to its time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from livevlm.assembly import build_engine
from livevlm.cli import main
from livevlm.cli.questions import read_questions
from livevlm.config import AnswerConfig, Config
from livevlm.errors import ConfigError
from livevlm.messages import Answer, Question
from livevlm.metrics import Metrics
from livevlm.replay import STREAM, Feed, Pace, TimedQuestion, replay, stream_of
from livevlm.toy import ToyBackbone
from livevlm.watchconfig import IngestConfig
from streams import Frame

CONFIG = Config(ingest=IngestConfig(chunk_frames=3))


def frames(count: int) -> Iterator[Frame]:
    """One frame a second, each of another colour."""
    for number in range(count):
        image = np.full((64, 64, 3), (number * 37) % 256, np.uint8)
        yield Frame(STREAM, number, float(number), 0.0, image)


def ask(at_s: float, text: str = "what?") -> TimedQuestion:
    """A short question at a time."""
    question = Question(id=f"{text} {at_s}", stream=STREAM, text=text, max_tokens=4)
    return TimedQuestion(at_s, question)


def answers(feed: Feed, *questions: TimedQuestion) -> list[Answer]:
    """What a fresh engine answers."""
    engine = build_engine(ToyBackbone(), CONFIG, [stream_of(feed, "frames")], Metrics())
    return [answer for _, answer in replay(engine, feed, questions)]


def test_a_question_sees_exactly_what_was_shown_up_to_its_time() -> None:
    """Neither a frame more nor one less, whatever the chunks; the frame of the very moment counts."""
    times = (0.0, 4.0, 4.5, 7.0, math.inf)
    found = answers(Feed(frames(10)), *map(ask, times))
    assert [a.as_of.stream_s for a in found if a.as_of] == [0.0, 4.0, 4.0, 7.0, 9.0]
    assert all(a.status in ("completed", "incomplete") for a in found)


@pytest.mark.parametrize(("timestamps", "each"), [(False, 16), (True, 16 + len("0:00:00"))])
def test_timestamps_are_tokens_of_their_frames(timestamps: bool, each: int) -> None:
    """With the setting a frame costs its text too, and the evidence still names frames."""
    config = Config(ingest=IngestConfig(chunk_frames=3, timestamps=timestamps))
    feed = Feed(frames(10))
    engine = build_engine(ToyBackbone(), config, [stream_of(feed, "frames")], Metrics())
    ((_, answer),) = replay(engine, feed, [ask(math.inf)])
    (stream,) = engine.streams()
    assert stream.memory_tokens == {
        "prompt": 1,
        "short": 8 * each,
        "long": 2 * each,
        "archive": 10 * each,
    }
    assert answer.evidence
    assert all(0 <= one.from_s <= one.to_s <= 9 for one in answer.evidence)


def test_questions_are_answered_in_the_order_of_their_times() -> None:
    """However they were given."""
    feed = Feed(frames(6))
    engine = build_engine(ToyBackbone(), CONFIG, [stream_of(feed, "frames")], Metrics())
    given = [ask(math.inf), ask(1.0), ask(3.0)]
    assert [timed.at_s for timed, _ in replay(engine, feed, given)] == [1.0, 3.0, math.inf]


def test_the_same_recording_and_questions_give_the_same_answers() -> None:
    """Word for word, evidence included, on every run."""
    questions = [ask(3.0, "one"), ask(30.0, "two"), ask(math.inf, "three")]
    one, two = (answers(Feed(frames(40)), *questions) for _ in range(2))
    assert [(a.text, a.evidence, a.as_of) for a in one] == [
        (a.text, a.evidence, a.as_of) for a in two
    ]


def test_asking_does_not_change_what_is_remembered() -> None:
    """The last answer is the same, whatever was asked before: here between chunks, which a question cuts short."""
    (alone,) = answers(Feed(frames(30)), ask(math.inf))
    *_, last = answers(Feed(frames(30)), ask(5.0, "a"), ask(11.0, "b"), ask(math.inf))
    assert (last.text, last.evidence, last.as_of) == (alone.text, alone.evidence, alone.as_of)


def test_the_recording_is_seen_to_its_end_without_questions() -> None:
    """Replay watches everything."""
    feed = Feed(frames(7))
    assert answers(feed) == []
    assert feed.status().state == "ended"
    assert feed.status().sampled == 7


def test_an_empty_recording_fails_its_questions_politely() -> None:
    """No frame: the answer says so, and nothing hangs."""
    (answer,) = answers(Feed(frames(0)), ask(math.inf))
    assert answer.status == "failed"
    assert answer.failure is not None
    assert answer.failure.code == "no_frames_yet"


def test_the_clock_of_a_recording_is_its_start_and_its_stream_time() -> None:
    """So that answers can be asked for by the time of day, and are the same on every run."""
    feed = Feed(frames(4), start_utc=1000.0)
    feed.allow(math.inf)
    assert [frame.captured_utc for frame in feed.take(9)] == [1000.0, 1001.0, 1002.0, 1003.0]


def test_a_feed_gives_only_what_is_allowed_and_never_goes_back() -> None:
    """Limits of time and of number hold; an earlier time later changes nothing."""
    feed = Feed(frames(10))
    assert feed.take(5) == []
    feed.allow(3.0)
    assert [f.index for f in feed.take(2)] == [0, 1]
    assert feed.pending() == 1
    feed.allow(1.0)
    assert [f.index for f in feed.take(9)] == [2, 3]
    assert feed.pending() == 0


def test_a_paced_feed_waits_for_each_frame_s_time() -> None:
    """Twice real time: half a second a frame, counted from the beginning so that slowness does not add up."""
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    feed = Feed(frames(4), pace=Pace(speed=2.0, monotonic=lambda: now[0], sleep=sleep))
    feed.allow(math.inf)
    feed.take(2)
    now[0] += 0.3
    feed.take(2)
    assert slept == pytest.approx([0.0, 0.5, 0.2, 0.5])


def test_questions_come_from_flags_and_files(tmp_path: Path) -> None:
    """With a time, without one, and with everything that a file may say."""
    file = tmp_path / "q.jsonl"
    file.write_text(
        '{"at": 3, "question": "a", "id": "mine", "last": "5s"}\n\n{"question": "b", "at": "end"}\n'
    )
    found = read_questions(["12.5=what is = ?", "end=now?", "plain"], file, AnswerConfig())
    assert [(t.at_s, t.question.text) for t in found] == [
        (12.5, "what is = ?"),
        (math.inf, "now?"),
        (math.inf, "plain"),
        (3.0, "a"),
        (math.inf, "b"),
    ]
    assert found[3].question.id == "mine"
    assert found[3].question.time is not None
    assert found[3].question.time.last_s == 5.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "expected an object"),
        ('{"at": 1}', "expected an object"),
        ('{"question": "a", "att": 1}', "unknown key att"),
        ('{"question": "a", "at": -1}', "seconds of stream time"),
        ('{"question": "a", "at": true}', "seconds of stream time"),
        ('{"question": " "}', "must not be empty"),
        ('{"question": "a", "last": "soon"}', "`last`"),
    ],
)
def test_a_question_that_cannot_be_asked_names_its_line(
    tmp_path: Path, line: str, said: str
) -> None:
    """File, line and what is wrong, before anything is watched."""
    file = tmp_path / "q.jsonl"
    file.write_text(f'{{"question": "fine"}}\n{line}\n')
    with pytest.raises(ConfigError, match=r"q\.jsonl:2") as caught:
        read_questions([], file, AnswerConfig())
    assert said in caught.value.message


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """A replay with the toy model."""
    code = main(["replay", *words, "--model", "toy", "--set", "model.threads=1"])
    out, err = capsys.readouterr()
    return code, out, err


VIDEO = "test:?seed=3&duration_s=20"


def test_the_verb_prints_the_same_answers_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Evidence and text are equal, timings aside; JSON Lines carry the question too."""
    words = (VIDEO, "--ask", "5=one", "--ask", "two", "--set", "answer.max_tokens=4", "--json")
    runs = []
    for _ in range(2):
        code, out, _ = run(capsys, *words)
        assert code == 0
        runs.append([json.loads(line) for line in out.splitlines()])
    for lines in runs:
        assert [(line["at"], line["question"]) for line in lines] == [(5.0, "one"), (None, "two")]
        assert [line["as_of"]["stream_s"] for line in lines] == [5.0, 19.0]
        for line in lines:
            del line["timings"]
            assert {one["thumbnail"] for one in line["evidence"]} == {None}, "nobody serves them"
    assert runs[0] == runs[1]


def test_timestamps_come_by_flag_and_by_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Both put the times before the frames, and so the model reads something else than without."""
    file = tmp_path / "my.toml"
    file.write_text("version = 1\n[ingest]\ntimestamps = true\n")
    words = (VIDEO, "--ask", "what?", "--set", "answer.max_tokens=4", "--json")
    read = []
    for more in ((), ("--timestamps",), ("-c", str(file))):
        code, out, _ = run(capsys, *words, *more)
        assert code == 0
        line = json.loads(out)
        read.append((line["evidence"], line["text"]))
    without, flag, config = read
    assert flag == config
    assert flag != without


def test_the_verb_prints_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, question, answer, evidence."""
    code, out, _ = run(capsys, VIDEO, "--ask", "5=one", "--set", "answer.max_tokens=4")
    assert code == 0
    assert out.startswith("[0:05.0] one\n")
    assert "seen: replay  0:00.0 - 0:05.0" in out


def test_without_a_question_the_verb_tells_what_it_watched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How to ask is said before the recording is watched, what was seen of it at the end; as JSON too."""
    code, out, err = run(capsys, VIDEO)
    assert code == 0
    assert '--ask "what do you see?"' in err
    assert out.startswith(f"watched {VIDEO}: 20 frames, up to 0:19.0; tokens remembered: prompt 1,")
    code, out, _ = run(capsys, VIDEO, "--json")
    (line,) = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert (line["type"], line["frames_encoded"], line["as_of"]["stream_s"]) == ("stream", 20, 19.0)


def test_with_a_question_the_answers_are_all_that_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Scripts count lines: no summary where something was asked."""
    words = (VIDEO, "--ask", "5=one", "--set", "answer.max_tokens=4")
    code, out, err = run(capsys, *words, "--json")
    assert (code, len(out.splitlines())) == (0, 1)
    assert "no question" not in err
    assert "watched" not in run(capsys, *words)[1]


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        (("none.mp4",), 3, "there is no such file"),
        (("test:?live=1",), 2, "replay needs a recording"),
        ((VIDEO, "--questions", "none.jsonl"), 2, "cannot be read"),
        ((VIDEO, "--retention", "nonsense"), 2, "memory.retention"),
        ((VIDEO, "--budget-tokens", "many"), 2, "--budget-tokens"),
        (("",), 2, "empty"),
    ],
)
def test_the_verb_s_mistakes_have_their_exit_codes(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: int, said: str
) -> None:
    """What is wrong is named on standard error."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (expected, "")
    assert said in err


def test_a_missing_model_is_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    """And the way out is named."""
    code = main(["replay", VIDEO, "--model", "/nowhere/model"])
    _, err = capsys.readouterr()
    assert code == 4
    assert "/nowhere/model" in err
