"""`watch.*`: what a session makes of it, and what the client makes of what it hears."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livevlm.client import connect
from livevlm.errors import (
    ConfigError,
    ServerUnreachable,
    StreamNotFound,
    TooManyWatches,
    WatchExists,
    WatchNotFound,
)
from livevlm.service.fields import Fields
from livevlm.service.protocol import SessionOptions
from livevlm.service.watches import (
    create_json,
    read_create,
    read_status,
    read_told,
    status_json,
    told_json,
)
from livevlm.watching.orders import DropWatch, ListWatches, MakeWatch
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest, Webhook
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.serving import on_loop, running

Event = dict[str, Any]
WISH = WatchRequest(
    stream="front",
    condition="a red car stops",
    name="car",
    rule=Rule(mode="once", cooldown_s=5.0, confirm_n=2, threshold=0.75),
    lasts_s=60.0,
    webhook=Webhook(url="https://hooks.test/very/secret", secret_env="LIVEVLM_WEBHOOK_KEY"),
)


def create(**fields: object) -> Event:
    """A `watch.create`."""
    return {"type": "watch.create", "event_id": "mine", "condition": "a star", **fields}


def test_all_that_a_watch_may_have_is_understood() -> None:
    """What the client says of a request is the request that is made; what is not said is as usual."""
    desk = Desk("front", "back")
    desk.tell({"type": "watch.create", **create_json(WISH)})
    desk.tell(create(stream="back", **{"for": "1h30m"}))
    full, bare = desk.watches.orders
    assert full == MakeWatch(WISH)
    assert bare == MakeWatch(WatchRequest(stream="back", condition="a star", lasts_s=5400.0))


def test_the_stream_is_the_session_s_or_the_only_one() -> None:
    """As for questions; nothing is guessed among several."""
    desk = Desk("front", "back", options=SessionOptions(stream="back"))
    desk.tell(create())
    assert desk.watches.statuses()[0].watch.stream == "back"
    (said,) = Desk("front", "back").tell(create())
    assert "front, back" in said["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"condition": None}, "invalid_value", "condition"),
        ({"condition": " "}, "invalid_value", "condition"),
        ({"condition": 7}, "invalid_value", "condition"),
        ({"condition": "x" * 501}, "invalid_value", "condition"),
        ({"name": " "}, "invalid_value", "name"),
        ({"mode": ""}, "invalid_value", "mode"),
        ({"mode": "thrice"}, "invalid_value", "mode"),
        ({"cooldown_s": -1}, "invalid_value", "cooldown_s"),
        ({"confirm_n": 1.5}, "invalid_value", "confirm_n"),
        ({"threshold": 1}, "invalid_value", "threshold"),
        ({"treshold": 0.9}, "invalid_value", "treshold"),
        ({"expires_s": 0}, "invalid_value", "expires_s"),
        ({"for": "soon"}, "invalid_value", "for"),
        ({"for": "8h", "expires_s": 5}, "invalid_value", "for"),
        ({"stream": "no"}, "stream_not_found", "stream"),
        ({"webhook": "http://a/"}, "invalid_value", "webhook"),
        ({"webhook": {}}, "invalid_value", "webhook.url"),
        ({"webhook": {"url": "file:///secret"}}, "invalid_value", "webhook.url"),
        ({"webhook": {"url": "http://a/", "secret": "x"}}, "invalid_value", "webhook.secret"),
        ({"webhook": {"url_env": "PATH"}}, "invalid_value", "webhook.url_env"),
    ],
)
def test_what_is_not_clear_is_refused(fields: Event, code: str, param: str) -> None:
    """Also a field that is not known: it would be a rule that does not hold. No secret is repeated."""
    desk = Desk()
    (said,) = desk.tell(create(**fields))
    error = said["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    assert "file:///" not in error["message"]
    assert desk.watches.orders == []


def test_a_misspelt_field_is_told_its_right_name() -> None:
    """The way out is in the message."""
    (said,) = Desk().tell(create(treshold=0.9))
    assert "did you mean threshold?" in said["error"]["message"]


def test_names_limits_and_unknown_ids_are_errors_with_codes() -> None:
    """Clients can tell them apart."""
    desk = Desk()
    desk.tell(create(name="door"))
    codes = [desk.tell(create(name="door"))[0]["error"]["code"]]
    codes.append(desk.tell({"type": "watch.delete", "watch": "gate"})[0]["error"]["code"])
    for _ in range(2):
        desk.tell(create())
    codes.append(desk.tell(create())[0]["error"]["code"])
    codes.append(desk.tell({"type": "watch.delete"})[0]["error"]["code"])
    assert codes == ["watch_exists", "watch_not_found", "too_many_watches", "invalid_value"]


def test_who_made_a_watch_hears_it_and_who_subscribed_hears_all() -> None:
    """Others hear nothing, and whoever ends the subscription no more."""
    maker, other = Desk(), Desk()
    other.watches = maker.watches
    assert other.tell({"type": "watch.list"})[0]["watches"] == []
    maker.tell(create())
    assert [event["type"] for event in maker.hear("triggered")] == ["watch.triggered"]
    assert other.hear("triggered") == []
    other.tell({"type": "subscribe", "topics": ["watch"]})
    assert [event["type"] for event in other.hear("cleared")] == ["watch.cleared"]
    assert maker.notice() == []
    other.tell({"type": "subscribe", "topics": ["stream"]})
    assert other.hear("triggered") == []


def test_what_a_session_knows_of_its_own_watches_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It forgets those that it deletes, and beyond a number that nobody reaches the oldest: others may delete them unseen."""
    monkeypatch.setattr("livevlm.service.protocol.MOST_OWN_WATCHES", 3)
    maker, other = Desk(), Desk()
    other.watches = maker.watches
    maker.tell(create(name="first"))
    for desk, heard in ((maker, 1), (other, 0)):
        for _ in range(5):
            maker.tell(create(name="next"))
            assert desk.tell({"type": "watch.delete", "watch": "next"})[0]["type"] != "error"
        assert len(maker.hear("triggered")) == heard


def test_of_a_webhook_nothing_secret_comes_back() -> None:
    """Neither to its maker nor to others."""
    desk = Desk()
    desk.tell({"type": "watch.create", **create_json(WISH)})
    desk.tell({"type": "watch.list"})
    desk.hear("triggered")
    desk.tell({"type": "watch.delete", "watch": "car"})
    assert "https://hooks.test" in json.dumps(desk.said)
    assert "very/secret" not in json.dumps(desk.said)


def test_watches_are_refused_when_the_daemon_stops() -> None:
    """As questions are."""
    desk = Desk()
    desk.perform(desk.session.going_away(time_left_s=1, reason="the end"))
    assert desk.tell(create())[0]["error"]["code"] == "going_away"


@given(
    wish=st.builds(
        WatchRequest,
        stream=st.just("front"),
        condition=st.text(min_size=1, max_size=99).filter(lambda text: text.strip()),
        name=st.none() | st.just("door"),
        rule=st.builds(
            Rule, cooldown_s=st.floats(0, 1e6), confirm_n=st.integers(1, 9), threshold=st.just(0.25)
        ),
        lasts_s=st.none() | st.floats(1, 1e6),
        webhook=st.none() | st.just(WISH.webhook),
    )
)
def test_a_request_survives_the_wire(wish: WatchRequest) -> None:
    """Both halves are ours and must agree."""
    command = read_create(Fields(json.loads(json.dumps(create_json(wish)))))
    assert (command.stream, command.wish) == ("front", WatchRequest(
        stream="", condition=wish.condition, name=wish.name, rule=wish.rule,
        lasts_s=wish.lasts_s, webhook=wish.webhook,
    ))  # fmt: skip


def test_what_is_told_survives_the_wire() -> None:
    """A client sees what the daemon saw, but for the webhook."""
    desk = Desk()
    desk.tell({"type": "watch.create", **create_json(WISH)})
    (status,) = desk.watches.statuses()
    back = read_status(status_json(status))
    assert back.webhook == "https://hooks.test"
    assert status_json(back) == status_json(status)
    for change in ("triggered", "expired"):
        event: WatchEvent = desk.watches.event(change)  # type: ignore[arg-type]
        kind, fields = told_json(event)
        told = read_told({"type": kind, **fields})
        assert told is not None
        assert (told.change, told.at, told.probability, told.evidence) == (
            event.change,
            event.at,
            event.probability,
            event.evidence,
        )
    assert read_told({"type": "watch.listed"}) is None


@on_loop
async def test_a_client_makes_hears_and_deletes_watches() -> None:
    """Over a real socket; two clients, of which one has subscribed."""
    async with running("front", "back") as where:
        async with connect(where.address) as client, connect(where.address) as other:
            await other.subscribe("watch")
            made = await client.watch(WISH, keep=True)
            assert [one.watch.id for one in await other.watches()] == [made.watch.id]
            await asyncio.to_thread(where.service.watches.tell, "triggered")
            for one in (client, other):
                event = await anext(one.watch_events())
                assert (event.change, event.watch.id) == ("triggered", made.watch.id)
                assert event.evidence is not None
                assert event.evidence.picture == 4
            gone = await other.unwatch("car")
            assert gone.watch.id == made.watch.id
            assert await client.watches() == ()
        orders = where.service.watches.orders
    assert [type(order) for order in orders] == [MakeWatch, ListWatches, DropWatch, ListWatches]


@on_loop
async def test_refusals_are_the_errors_that_they_are() -> None:
    """Each with its exit code; a connection that is lost ends whoever listens."""
    async with running() as where:
        async with connect(where.address, reconnect=False) as client:
            with pytest.raises(StreamNotFound):
                await client.watch(WatchRequest(stream="no", condition="a?"), keep=True)
            with pytest.raises(WatchNotFound):
                await client.unwatch("no")
            await client.watch(WISH, keep=True)
            with pytest.raises(WatchExists):
                await client.watch(WISH, keep=True)
            for _ in range(2):
                await client.watch(WatchRequest(stream="", condition="a?"), keep=True)
            with pytest.raises(TooManyWatches):
                await client.watch(WatchRequest(stream="", condition="a?"), keep=True)
            with pytest.raises(ConfigError):
                await client.told("watch.create", condition="")
            drain = asyncio.create_task(where.server.drain(0))
            with pytest.raises(ServerUnreachable):
                await anext(client.watch_events())
            await drain
