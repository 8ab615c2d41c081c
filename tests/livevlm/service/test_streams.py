"""Adding, pausing and removing streams over the protocol, and hearing of it; a session and an engine across one table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from livevlm.changes import AddStream, PauseStream, RemoveStream, ResumeStream
from livevlm.configfile import stream_settings
from livevlm.service.protocol import SessionOptions
from livevlm.service.streams import News, change_event, changed_json, read_changed
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.fake_service import MOST_STREAMS, made, stream_status
from tests.livevlm.service.serving import ask

URL = "rtsp://me:hunter2@camera.example/main?token=abc"


def refusal(desk: Desk, event: dict[str, Any]) -> dict[str, Any]:
    """The error that an event is answered with."""
    (said,) = desk.tell({**event, "event_id": "e"})
    assert said["type"] == "error", said
    assert said["error"]["event_id"] == "e"
    error: dict[str, Any] = said["error"]
    return error


def test_a_stream_is_added_with_the_settings_of_its_table() -> None:
    """What is given arrives, the rest are defaults; null is as if it was left out."""
    desk = Desk()
    event = {
        "type": "stream.add",
        "event_id": "a",
        "name": "yard",
        "url": URL,
        "fps": 2,
        "loop": None,
    }
    (said,) = desk.tell(event)
    (change,) = desk.changes
    assert isinstance(change, AddStream)
    assert change.settings == stream_settings("yard", {"url": URL, "fps": 2.0})
    assert (said["type"], said["client_event_id"], said["name"]) == ("stream.added", "a", "yard")
    assert (said["stream"]["name"], said["stream"]["state"]) == ("yard", "connecting")


def test_a_url_s_credentials_never_come_back() -> None:
    """Not in the answer, not in the list, not to subscribers, not in an error, and not where a command is printed."""
    desk = Desk()
    desk.tell({"type": "subscribe", "topics": ["stream"]})
    add = {"type": "stream.add", "name": "yard", "url": URL}
    desk.tell(add)
    desk.notice()
    desk.tell(add)
    for wrong in (
        {"fps": "2"},
        {"speed": "fast"},
        {"url_env": "HOME"},
        {"name": "a/b"},
        {"bogus": 1},
    ):
        desk.tell({**add, "name": "other", **wrong})
    desk.tell({**add, "name": "other", "url": [URL]})
    desk.tell({"type": "stream.list"})
    said = json.dumps(desk.said)
    assert len(desk.said) == 12
    assert "camera.example" in said
    for secret in ("hunter2", "=abc", "me:h"):
        assert secret not in said
    assert "hunter2" not in repr(desk.changes)


@pytest.mark.parametrize(
    ("wrong", "param", "said"),
    [
        ({"name": None}, "name", "letters, digits"),
        ({"name": "../etc"}, "name", "letters, digits"),
        ({"name": "x" * 64}, "name", "at most 63"),
        ({"url": None}, "url", "where the stream comes from"),
        ({"url": ""}, "url", "where the stream comes from"),
        ({"url": 5}, "url", "must be a string"),
        ({"url": "x" * 5000}, "url", "more than the 4096"),
        ({"url_env": "HOME"}, "url_env", "send the url itself"),
        ({"fps": -1}, "fps", "greater than or equal to 0"),
        ({"fps": 10**400}, "fps", ""),
        ({"fps": True}, "fps", "number"),
        ({"rtsp_transport": "pigeon"}, "rtsp_transport", "'tcp' or 'udp'"),
        ({"sped": 2}, "sped", "did you mean speed?"),
        ({"zzz" * 1000: 2}, None, "is no field"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any], param: str | None, said: str) -> None:
    """By its field, with what it may be or its nearest neighbour; nothing is added."""
    desk = Desk()
    error = refusal(desk, {"type": "stream.add", "name": "yard", "url": "test:", **wrong})
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "invalid_value",
        param,
    )
    assert said in error["message"]
    assert len(error["message"]) < 500
    assert desk.changes == []


def test_pausing_resuming_and_removing_are_told() -> None:
    """Each is answered by one event, with the stream as it is then."""
    desk = Desk("front", "yard")
    (paused,) = desk.tell({"type": "stream.pause", "event_id": "p", "name": "yard"})
    (resumed,) = desk.tell({"type": "stream.resume", "event_id": "r", "name": "yard"})
    (removed,) = desk.tell({"type": "stream.remove", "event_id": "x", "name": "yard"})
    desk.tell({"type": "stream.remove", "name": "front", "forget": True})
    assert [(one["type"], one["client_event_id"]) for one in (paused, resumed, removed)] == [
        ("stream.updated", "p"),
        ("stream.updated", "r"),
        ("stream.removed", "x"),
    ]
    assert (paused["stream"]["state"], resumed["stream"]["state"]) == ("paused", "live")
    assert desk.changes == [
        PauseStream(name="yard"),
        ResumeStream(name="yard"),
        RemoveStream(name="yard"),
        RemoveStream(name="front", forget=True),
    ]


@pytest.mark.parametrize("kind", ["stream.pause", "stream.resume", "stream.remove"])
def test_what_is_not_there_is_named(kind: str) -> None:
    """stream_not_found, with the streams there are; a name that cannot be one is an invalid value."""
    desk = Desk("front", "yard")
    error = refusal(desk, {"type": kind, "name": "porch"})
    assert (error["type"], error["code"]) == ("not_found_error", "stream_not_found")
    assert "front, yard" in error["message"]
    assert refusal(desk, {"type": kind, "name": 7})["param"] == "name"
    assert refusal(desk, {"type": kind})["code"] == "invalid_value"


def test_forgetting_takes_yes_or_no() -> None:
    """What cannot be brought back is not erased on a guess."""
    error = refusal(Desk(), {"type": "stream.remove", "name": "front", "forget": "yes"})
    assert (error["code"], error["param"]) == ("invalid_value", "forget")


def test_names_and_their_number_are_limited() -> None:
    """stream_exists and too_many_streams."""
    error = refusal(Desk("front"), {"type": "stream.add", "name": "front", "url": "test:"})
    assert (error["type"], error["code"]) == ("invalid_request_error", "stream_exists")
    full = Desk(*(f"c{number}" for number in range(MOST_STREAMS)))
    error = refusal(full, {"type": "stream.add", "name": "one-more", "url": "test:"})
    assert (error["type"], error["code"]) == ("rate_limit_error", "too_many_streams")


def test_changes_wait_their_turn_like_questions() -> None:
    """They count among what a client may have open, and are refused while the model loads or the daemon stops."""
    desk = Desk(options=SessionOptions(max_questions=1))
    pause = {"type": "stream.pause", "name": "front"}
    desk.tell(ask("describe everything"))
    assert refusal(desk, pause)["code"] == "queue_full"
    desk.answer()
    desk.is_ready = False
    assert refusal(desk, pause)["code"] == "model_loading"
    desk.is_ready = True
    desk.perform(desk.session.going_away(time_left_s=1, reason="the end"))
    assert refusal(desk, pause)["code"] == "going_away"
    assert desk.changes == []


def test_an_added_stream_can_be_asked_about_and_a_removed_one_cannot() -> None:
    """The names are looked up with every question."""
    desk = Desk("front")
    desk.tell({"type": "stream.add", "name": "yard", "url": "test:"})
    desk.tell(ask("what?", streams=["yard"]))
    assert [question.stream for question in desk.questions] == ["yard"]
    desk.tell({"type": "stream.remove", "name": "yard"})
    assert refusal(desk, ask("what?", streams=["yard"]))["code"] == "stream_not_found"


def test_subscribers_hear_what_happens_to_streams() -> None:
    """Coming, going, another state or error; once each, in order, without client_event_id. Frames are no news."""
    desk = Desk("front", "yard")
    assert desk.notice() == []
    desk.statuses[0] = replace(desk.statuses[0], state="stalled")
    assert desk.notice() == [], "nobody has asked"
    (subscribed,) = desk.tell(
        {"type": "subscribe", "event_id": "s", "topics": ["stream", "stream"]}
    )
    assert (subscribed["type"], subscribed["topics"]) == ("subscribed", ["stream"])
    assert desk.notice() == []
    desk.statuses[0] = replace(desk.statuses[0], frames_received=101, frames_encoded=95)
    assert desk.notice() == []
    desk.statuses[0] = replace(
        desk.statuses[0], state="reconnecting", error_code="STREAM_ENDED", error="gone"
    )
    desk.statuses[1] = stream_status("porch")
    told = desk.notice()
    assert [(one["type"], one["name"]) for one in told] == [
        ("stream.removed", "yard"),
        ("stream.updated", "front"),
        ("stream.added", "porch"),
    ]
    assert told[1]["stream"]["error"] == "gone"
    assert all("client_event_id" not in one for one in told)
    assert desk.notice() == []
    desk.tell({"type": "subscribe", "topics": []})
    desk.statuses[0] = stream_status("front")
    assert desk.notice() == []


@pytest.mark.parametrize("topics", [None, "stream", [1], ["streams"], ["stream", "x" * 10_000]])
def test_unknown_topics_are_refused(topics: object) -> None:
    """With what there is; what was subscribed stays."""
    desk = Desk()
    desk.tell({"type": "subscribe", "topics": ["stream"]})
    error = refusal(desk, {"type": "subscribe", "topics": topics})
    assert (error["code"], error["param"]) == ("invalid_value", "topics")
    assert "topics" in error["message"]
    assert len(error["message"]) < 500
    desk.statuses[0] = replace(desk.statuses[0], state="ended")
    assert [one["type"] for one in desk.notice()] == ["stream.updated"]


def test_changes_and_news_are_the_same_on_the_other_side() -> None:
    """What one end writes, the other reads."""
    settings = stream_settings("yard", {"url": URL, "fps": 0.5, "speed": "max", "loop": True})
    for change in (
        AddStream(name="yard", settings=settings),
        RemoveStream(name="yard", forget=True),
        PauseStream(name="yard"),
        ResumeStream(name="yard"),
    ):
        desk = Desk("front")
        kind, fields = change_event(change)
        desk.tell({"type": kind, **fields})
        assert desk.changes == [change]
    statuses = [stream_status("front")]
    for change in (PauseStream(name="front"), RemoveStream(name="front")):
        changed = made(change, statuses)
        assert not isinstance(changed, Exception)
        kind, fields = changed_json(changed)
        assert read_changed({"type": kind, **json.loads(json.dumps(fields))}) == changed
    assert read_changed({"type": "stream.listed"}) is None


def test_a_stream_that_was_replaced_by_another_of_its_name_is_news() -> None:
    """Between two looks one was removed and another added: its source tells."""
    news = News([stream_status("front")])
    (changed,) = news.of([stream_status("front", source="test:other")])
    assert (changed.what, changed.name) == ("updated", "front")
