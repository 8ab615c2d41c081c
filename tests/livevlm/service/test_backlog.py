"""The backlog: bounded, numbered without a gap, and after any cut of the line every event arrives exactly once and in order."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.messages import AnswerEvent
from livevlm.service.backlog import Backlog
from livevlm.service.options import SessionOptions
from livevlm.service.outputs import Output, Submit
from livevlm.service.protocol import Session
from livevlm.service.resumption import NotResumable, Resume, Ticket
from livevlm.service.wire import JsonObject, encode
from tests.livevlm.service.fake_service import answer, stream_status
from tests.livevlm.service.serving import ask

LIMIT = 24_000


def event(number: int, size: int = 100) -> JsonObject:
    """An event of some size in bytes."""
    made: JsonObject = {"type": "pong", "number": number, "padding": ""}
    return {**made, "padding": "x" * (size - len(encode(made)))}


def delta(text: str, item: str = "item_1") -> JsonObject:
    """A piece of an answer's text."""
    return {"type": "response.output_text.delta", "item_id": item, "delta": text}


def taken(backlog: Backlog) -> list[dict[str, Any]]:
    """All that waits, as it is written."""
    return [json.loads(text) for text in iter(backlog.take, None)]


def numbers(backlog: Backlog) -> list[int]:
    """The numbers of all that waits."""
    return [event["seq"] for event in taken(backlog)]


def test_events_are_numbered_as_they_are_written_and_make_room() -> None:
    """What was taken out may be put in again, for ever."""
    backlog = Backlog(1000)
    for number in range(1, 100):
        assert all([backlog.put(event(number)) for _ in range(10)])
        assert numbers(backlog) == list(range(10 * number - 9, 10 * number + 1))


def test_more_than_the_limit_is_told_and_one_event_always_fits() -> None:
    """A slow client is noticed; a limit smaller than an event must not make the event unsendable."""
    backlog = Backlog(250)
    assert backlog.put(event(1, size=1000))
    assert not backlog.put(event(2))
    assert len(taken(backlog)) == 2
    assert [backlog.put(event(n)) for n in range(3)] == [True, True, False]


def test_what_waits_takes_little_more_than_its_text() -> None:
    """The limit is one of memory: events as objects would take three times what is counted of them."""
    tracemalloc.start()
    try:
        backlog = Backlog(1 << 20)
        for number in range(1000):
            told = delta("word ", item=f"item_{number}")
            extras = {f"field_{place}": f"value {number} {place}" for place in range(8)}
            backlog.put({**told, **extras})
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert backlog.kept_bytes > 200_000
    assert taken < 1.7 * backlog.kept_bytes


def test_what_was_written_can_be_had_again() -> None:
    """After a cut nobody knows what arrived: all after the client's last event comes again, as it was."""
    backlog = Backlog(1000)
    for number in range(5):
        backlog.put(event(number))
    before = taken(backlog)
    backlog.put(event(5))
    assert backlog.rewind(2) == 4
    assert taken(backlog)[:3] == before[2:]
    assert backlog.rewind(4) == 2
    assert numbers(backlog) == [5, 6]


def test_what_was_seen_or_pushed_out_cannot_be_had_again() -> None:
    """A gap is never papered over: the client learns that it has missed something, or that it counts wrongly."""
    backlog = Backlog(250)
    for number in range(8):
        backlog.put(event(number))
        backlog.take()
    with pytest.raises(NotResumable, match="after number 2 are lost"):
        backlog.rewind(2)
    with pytest.raises(NotResumable, match="last_seq is 9"):
        backlog.rewind(9)
    assert backlog.rewind(6) == 2
    with pytest.raises(NotResumable, match="lost"):
        backlog.rewind(5)


def test_of_what_has_arrived_only_the_newest_is_kept() -> None:
    """A session that lasts for days costs no more than a short one; what may be on its way, or unread, is still there."""
    backlog = Backlog(16_000)
    for number in range(100):
        backlog.put(event(number))
        backlog.take()
    assert backlog.heavy
    backlog.arrived(95)
    assert not backlog.heavy
    assert 900 < backlog.kept_bytes <= 1000
    with pytest.raises(NotResumable, match="lost"):
        backlog.check(90)
    assert backlog.rewind(92) == 8
    assert numbers(backlog) == list(range(93, 101))


def test_what_has_not_arrived_is_kept_however_much_it_is() -> None:
    """Only what is known to have arrived makes room."""
    backlog = Backlog(16_000)
    for number in range(100):
        backlog.put(event(number))
        backlog.take()
    backlog.arrived(30)
    assert backlog.rewind(30) == 70


def test_what_was_seen_after_all_is_not_sent_again() -> None:
    """A client that has come back twice may have read more of its first socket than it said the first time."""
    backlog = Backlog(1000)
    for number in range(5):
        backlog.put(event(number))
    before = taken(backlog)
    assert backlog.rewind(1) == 4
    assert backlog.rewind(3) == 2
    assert taken(backlog) == before[3:]
    assert backlog.rewind(5) == 0
    assert backlog.kept_bytes == 0


def test_nothing_is_kept_where_nobody_may_come_back() -> None:
    """Without resumption a session costs what waits, and no more."""
    backlog = Backlog(1000, keep=False)
    backlog.put(event(1))
    backlog.take()
    with pytest.raises(NotResumable):
        backlog.check(0)


def test_who_is_away_has_twice_the_room_and_who_comes_back_has_time_to_read() -> None:
    """A client that was closed for its slowness can resume, and is not closed at once for what waited for it."""
    backlog = Backlog(1000)
    while backlog.put(event(0)):
        pass
    backlog.away = True
    room = sum(backlog.put(event(0)) for _ in range(20))
    assert room == 9  # 20 events in all; the eleventh was one too many for who was there
    backlog.rewind(0)
    assert all([backlog.put(event(0)) for _ in range(10)])
    assert not backlog.put(event(0))


def test_text_is_joined_for_slow_readers_only() -> None:
    """Who reads along gets every piece; for who does not, pieces of one answer become one event, and no number is left out."""
    backlog = Backlog(16_000)
    pieces = [f"{number} " for number in range(100)]
    for piece in pieces:
        backlog.put(delta(piece))
        assert json.loads(backlog.take() or "")["delta"] == piece
    for piece in pieces:
        backlog.put(delta(piece))
    backlog.put(delta("another answer", item="item_2"))
    backlog.put(event(1))
    backlog.put(delta("after something else", item="item_2"))
    written = taken(backlog)
    assert [one["seq"] for one in written] == list(range(101, 101 + len(written)))
    assert len(written) < 30
    assert "".join(one["delta"] for one in written if one.get("item_id") == "item_1") == "".join(
        pieces
    )
    assert [one.get("delta") for one in written[-3:]] == [
        "another answer",
        None,
        "after something else",
    ]


def test_text_that_was_written_is_not_joined_any_more() -> None:
    """A piece that may have arrived must stay as it was."""
    backlog = Backlog(400)
    backlog.put(event(1))
    backlog.put(delta("a"))
    written = taken(backlog)
    backlog.rewind(0)
    backlog.put(delta("b"))
    backlog.put(delta("c"))
    again = taken(backlog)
    assert [one.get("delta") for one in again] == [None, "a", "bc"]
    assert again[:2] == written


class Line:
    """A client and a session, and between them a line that can be cut anywhere: what was written and not read is lost then."""

    def __init__(self) -> None:
        ids = itertools.count(1)
        self.made: list[JsonObject] = []
        self.seen: list[dict[str, Any]] = []
        self.over = False
        self._wire: deque[str] = deque()
        self._backlog = Backlog(LIMIT)
        self._scripts: dict[str, deque[AnswerEvent]] = {}
        self._session = Session(
            self,
            options=SessionOptions(max_questions=1000),
            new_id=lambda kind: f"{kind}_{next(ids)}",
            clock=lambda: 0.0,
        )
        self._perform(self._session.opened())

    def streams(self) -> list[Any]:
        """For the session."""
        return [stream_status("front")]

    def ready(self) -> bool:
        """For the session."""
        return True

    def info(self) -> dict[str, str]:
        """For the session."""
        return {}

    def ask(self, number: int) -> None:
        """The client asks for an answer in so many pieces."""
        if not self._backlog.away:
            self._perform(self._session.receive(json.dumps(ask(f"many {5 * number + 1}"))))

    def answer(self, number: int) -> None:
        """The engine says the next things about one of the questions."""
        for _ in range(number * number):
            if self._scripts:
                question = list(self._scripts)[number % len(self._scripts)]
                said = self._scripts[question].popleft()
                if not self._scripts[question]:
                    del self._scripts[question]
                self._perform(self._session.deliver(said))

    def write(self, number: int) -> None:
        """The writer writes some events."""
        for _ in range(0 if self._backlog.away else number):
            text = self._backlog.take()
            if text is not None:
                self._wire.append(text)

    def read(self, number: int) -> None:
        """The client reads some events."""
        for _ in range(min(number, len(self._wire))):
            self.seen.append(json.loads(self._wire.popleft()))

    def pong(self, _: int) -> None:
        """The server learns how far the client has got."""
        if self.seen:
            self._backlog.arrived(self.seen[-1]["seq"])

    def cut(self, number: int) -> None:
        """The line is cut, before or after the client has read once more."""
        self.read(number % 3)
        self._wire.clear()
        self._backlog.away = True

    def come_back(self, _: int) -> None:
        """The client resumes the session, if it is not over."""
        if not self.over:
            self.cut(0)
            wish = Resume(token="", last_seq=self.seen[-1]["seq"] if self.seen else 0)
            replayed = self._backlog.rewind(wish.last_seq)
            ticket = Ticket(token="", for_s=1)
            resumed = self._session.resumed(wish, ticket, replayed=replayed)
            assert (resumed["seq"], resumed["replayed"]) == (wish.last_seq, replayed)

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Submit):
                script: deque[AnswerEvent] = deque()
                answer(output.question, script.append, held=lambda _: True)
                self._scripts[output.question.id] = script
                self._perform(self._session.accepted(output.question.id))
            else:
                assert isinstance(output, dict)
                self.made.append(output)
                if not self._backlog.put(output):
                    self.over = self.over or self._backlog.away
                    self.cut(0)


ACTS = ("ask", "answer", "write", "read", "pong", "cut", "come_back")


@settings(max_examples=200, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 9)), max_size=60))
def test_wherever_the_line_is_cut_the_client_sees_every_event_once_and_in_order(
    acts: list[tuple[str, int]],
) -> None:
    """What was on its way is sent again, what came meanwhile follows, and every answer has one beginning and one end."""
    line = Line()
    for act, number in acts:
        getattr(line, act)(number)
        if line.over:
            return  # too much came while it was away; the server has ended the session
    line.come_back(0)
    line.write(10_000)
    line.read(10_000)
    assert [seen["seq"] for seen in line.seen] == list(range(1, len(line.seen) + 1))
    assert whole(line.seen) == whole(line.made)
    assert without_text(line.seen) == without_text(line.made)
    for kind in ("response.created", "response.done"):
        ids = [seen["response"]["id"] for seen in line.seen if seen["type"] == kind]
        assert len(ids) == len(set(ids))


def whole(events: list[Any]) -> dict[str, str]:
    """The text of every answer, put together from its pieces."""
    texts: dict[str, str] = {}
    for one in events:
        if one["type"] == "response.output_text.delta":
            texts[one["item_id"]] = texts.get(one["item_id"], "") + one["delta"]
    return texts


def without_text(events: list[Any]) -> list[Any]:
    """The ids of all events but the pieces of text, in order."""
    return [one["event_id"] for one in events if one["type"] != "response.output_text.delta"]


def test_an_answer_has_pieces_to_be_joined() -> None:
    """The property above would prove nothing of joined text if the answers of its questions had one piece each."""
    line = Line()
    line.ask(9)
    line.answer(3)
    line.write(10)
    line.answer(9)
    line.write(10_000)
    line.read(10_000)
    made = [one for one in line.made if one["type"] == "response.output_text.delta"]
    seen = [one for one in line.seen if one["type"] == "response.output_text.delta"]
    assert len(made) == 46
    assert 1 < len(seen) < 46
