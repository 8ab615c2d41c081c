"""The client without asyncio: the same names and errors, on a thread of its own; Ctrl-C ends what is waited for."""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from livevlm.client import Client
from livevlm.client.sync import SyncClient, beside, connect_sync
from livevlm.errors import NoFramesYet, ServerUnreachable, StreamNotFound, WatchNotFound
from tests.livevlm.client.both import both, talking
from tests.livevlm.service.fake_service import FakeService


@contextmanager
def waiting(way: str, *streams: str) -> Iterator[tuple[SyncClient, FakeService]]:
    """A client, and what it talks to."""
    found: list[FakeService] = []

    class Talking:
        """Only the client."""

        def __init__(self) -> None:
            self.both = talking(way, *streams)

        async def __aenter__(self) -> Client:
            client, service = await self.both.__aenter__()
            found.append(service)
            return client

        async def __aexit__(self, *error: object) -> None:
            await self.both.__aexit__(None, None, None)

    with beside(Talking()) as client:
        yield client, found[0]


@both
def test_a_question_is_one_call(way: str) -> None:
    """Its answer, or its error; in pieces, if one likes."""
    with waiting(way, "front", "back") as (client, service):
        answer = client.ask("what is it?", stream="front", last="2h")
        assert (answer.text, answer.stream) == ("You asked: what is it?", "front")
        assert service.questions[0].time is not None
        assert "".join(client.stream("many 5", stream="back")) == "0 1 2 3 4 "
        with pytest.raises(StreamNotFound):
            client.ask("what?", stream="nowhere")
        with pytest.raises(NoFramesYet):
            list(client.stream("nothing yet", stream="back"))
        for _ in client.stream("hold", stream="back"):
            break
        service.wait_for(lambda: bool(service.cancelled))
        assert client.status().streams == service.statuses
        assert (client.streams, client.version, client.model) == (
            ["front", "back"],
            "0.0.test",
            "fake",
        )
        assert client.session["object"] == "realtime.session"
        client.ping()


@both
def test_all_the_rest_is_there_too(way: str) -> None:
    """Memory, streams and watches."""
    with waiting(way) as (client, service):
        assert client.memory_stats()[0].stream == "front"
        assert client.search("a cup", limit=1).spans
        assert client.forget(last=5).frames > 0
        client.subscribe("stream", "watch")
        assert client.add_stream("yard", "test:").name == "yard"
        assert next(client.changes()).name == "yard"
        assert client.pause_stream("yard").state == "paused"
        assert client.resume_stream("yard").state == "live"
        client.remove_stream("yard")
        assert next(client.pushed("stream"))["name"] == "yard"
        service.watches.script = ("triggered", "expired")
        watching = client.watch("a star")
        assert watching.status.watch.id == "watch_1"
        assert [event.change for event in watching] == ["triggered", "expired"]
        assert next(client.watch_events()).change == "triggered"
        assert client.unwatch("watch_1").watch.id == "watch_1"
        with client.watch("a circle"):
            assert len(client.watches()) == 1
        assert client.told("watch.list")["watches"] == []
        with pytest.raises(WatchNotFound):
            client.unwatch("watch_1")


def test_it_has_all_that_the_other_has() -> None:
    """With the same parameters; what is new in one is missed in the other at once."""
    ours = {name: value for name, value in vars(SyncClient).items() if not name.startswith("_")}
    theirs = {name: value for name, value in vars(Client).items() if not name.startswith("_")}
    assert set(ours) == set(theirs) - {"open", "close"} | {"stream"}
    for name in set(ours) & set(theirs):
        if inspect.isfunction(ours[name]):
            same = inspect.signature(ours[name]).parameters
            assert same == inspect.signature(theirs[name]).parameters, name
    assert (
        inspect.signature(SyncClient.stream).parameters == inspect.signature(Client.ask).parameters
    )


def test_ctrl_c_ends_what_is_waited_for() -> None:
    """The question is cancelled, the client goes on, and no thread is left in the end."""
    before = threading.active_count()
    with waiting("socket") as (client, service):

        def press() -> None:
            service.wait_for(lambda: bool(service.questions))
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        pressing = threading.Thread(target=press)
        pressing.start()
        with pytest.raises(KeyboardInterrupt):
            client.ask("hold")
        pressing.join()
        service.wait_for(lambda: [service.questions[0].id] == service.cancelled)
        client.ping()
    with pytest.raises(ServerUnreachable, match="closed"):
        client.ping()
    assert threading.active_count() == before


def test_no_daemon_there_is_an_error() -> None:
    """Here too, and no thread is left behind."""
    before = threading.active_count()
    with pytest.raises(ServerUnreachable, match="livevlm serve"), connect_sync("127.0.0.1:9"):
        pass
    assert threading.active_count() == before
