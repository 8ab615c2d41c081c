"""The dashboard in a real browser when its connection breaks, when the daemon stops, and when a question has to wait."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import pytest

from livevlm.changes import Change, PauseStream, Told
from livevlm.messages import Measure, Question, Queued, Recalled, Sink
from livevlm.metrics import Metrics
from livevlm.service.limits import Limits
from livevlm.service.server import Server, ServerOptions
from livevlm.watching.orders import MakeWatch
from livevlm.watching.watch import WatchRequest
from tests.e2e.browser import Tab, needed
from tests.livevlm.client.proxy import Proxy, proxied
from tests.livevlm.service.fake_service import AS_OF, FakeService
from tests.livevlm.service.fake_service import ended as answered

pytestmark = needed()

GUARD_S = 120.0
PIECES = "[...document.querySelector('.answer .text').childNodes].map((node) => node.data)"
# Remembers how the connection did, and what is read aloud.
REMEMBER = """(() => {
  window.states = [];
  window.told = [];
  const [link, told] = ["link", "told"].map((id) => document.getElementById(id));
  new MutationObserver(() => states.push(link.dataset.state)).observe(link, { attributes: true });
  new MutationObserver(() => window.told.push(told.textContent)).observe(told, { childList: true });
})()"""


class Prompted(FakeService):
    """Says to the question "wait" what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: queue.Queue[tuple[Question, Sink]] = queue.Queue()

    def submit(self, question: Question, sink: Sink) -> None:
        """Take a question."""
        if question.text == "wait":
            self.asked.put((question, sink))
        else:
            super().submit(question, sink)

    def change(self, change: Change, told: Told) -> None:
        """Take a change, and let whoever waits for it know."""
        super().change(change, told)
        with self.changed:
            self.changed.notify_all()

    def rest(self) -> None:
        """Wait until all that was asked so far is done."""
        done = threading.Event()
        self.errand(Measure(stream=None), lambda _: done.set())
        assert done.wait(GUARD_S)


class Desk:
    """A server on a thread's loop, and before it a proxy that can be cut."""

    def __init__(self, options: ServerOptions | None = None) -> None:
        self.service = Prompted()
        self.port = 0
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._server: Server
        self._proxy: Proxy

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(GUARD_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(GUARD_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        with self.service as service:
            server = Server(
                service, host="127.0.0.1", port=0, metrics=Metrics(), options=self._options
            )
            async with server, proxied(server.port) as (self._proxy, self._address):
                self._server, self.port = server, server.port
                self._ready.set()
                await self._over.wait()

    def show(self, tab: Tab) -> None:
        """Open the page, and wait until it can be asked."""
        tab.open(f"http://{self._address}/")
        tab.wait("document.querySelector('#link').dataset.state === 'open'")
        tab.wait("document.querySelectorAll('#about option').length === 1")
        tab.value(REMEMBER)

    def cut(self, port: int | None) -> None:
        """Break all connections; new ones lead to that port, or nowhere."""
        self.lead(port)
        self._loop.call_soon_threadsafe(self._proxy.cut)

    def lead(self, port: int | None) -> None:
        """Have new connections lead to that port, or nowhere."""
        self._proxy.target = None if port is None else ("127.0.0.1", port)

    def drain(self, timeout_s: float) -> Future[None]:
        """Begin to stop."""
        return asyncio.run_coroutine_threadsafe(self._server.drain(timeout_s), self._loop)


def ask(tab: Tab, text: str) -> None:
    """Ask, by key."""
    tab.value("document.querySelector('#question').focus()")
    tab.type(text)
    tab.press("Enter")
    tab.wait(f"document.querySelector('.answer h3').textContent === {text!r}")


def push(tab: Tab, name: str) -> None:
    """Push a button by its key."""
    tab.value(
        f"[...document.querySelectorAll('button')].find((e) => e.textContent === {name!r}).focus()"
    )
    tab.press("Enter")


def card(tab: Tab, selector: str) -> str:
    """What stands in the newest answer."""
    text: str = tab.value(f"document.querySelector('.answer {selector}').textContent")
    return text


def says(tab: Tab, selector: str, text: str) -> None:
    """Wait until that stands in the newest answer."""
    tab.wait(f"document.querySelector('.answer {selector}').textContent === {text!r}")


def ended(tab: Tab, status: str) -> None:
    """Wait until the newest answer has ended so."""
    tab.wait("document.querySelector('.answer').getAttribute('aria-busy') === 'false'")
    assert tab.value("document.querySelector('.answer').dataset.status") == status


def test_an_answer_goes_on_in_its_card_when_the_connection_broke(tab: Tab) -> None:
    """What was said meanwhile comes once, to the card and of the watch; all that is asked is done once."""
    with Desk() as desk:
        desk.service.watches.carry_out(
            MakeWatch(WatchRequest(stream="front", condition="a red car"))
        )
        desk.show(tab)
        ask(tab, "hold")
        tab.wait(f"{PIECES}.length === 1")
        push(tab, "Pause")
        desk.service.wait_for(lambda: bool(desk.service.made))
        desk.cut(None)
        tab.wait("window.states.includes('waiting')")
        assert tab.value("document.querySelector('.answer').dataset.status") == "in_progress"
        desk.service.watches.tell("triggered")
        desk.service.release()
        desk.service.rest()
        ask(tab, "and now?")
        desk.lead(desk.port)
        ended(tab, "completed")
        assert card(tab, ".text") == "You asked: and now?"
        tab.value("document.querySelector('.answer').remove()")
        ended(tab, "completed")
        assert tab.value(PIECES) == ["You ", "asked: ", "hold"]
        assert [question.text for question in desk.service.questions] == ["hold", "and now?"]
        assert desk.service.made == [PauseStream(name="front")]
        assert tab.value("window.told").count("front: a red car") == 1
        desk.cut(desk.port)
        tab.wait("window.states.filter((state) => state === 'open').length === 2")
        ask(tab, "once more")
        ended(tab, "completed")
        assert "anew" not in tab.value("window.states")
        assert tab.said.violations == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_session_that_is_gone_leaves_its_questions_to_be_asked_again(
    tab: Tab, kept: bool
) -> None:
    """Another daemon stands there, or this one keeps no sessions: the page says so, goes on, and the card has its button."""
    with Desk(ServerOptions(resume_s=60.0 if kept else 0.0)) as desk, Desk() as other:
        desk.show(tab)
        ask(tab, "hold")
        tab.wait(f"{PIECES}.length === 1")
        desk.cut(other.port)
        ended(tab, "lost")
        assert "connection was lost" in card(tab, ".trouble")
        assert card(tab, ".text") == "You "
        tab.wait("window.states.at(-1) === 'anew'")
        assert "new session" in tab.value("document.querySelector('#link').textContent")
        tab.size(375, 800)
        assert tab.value("document.documentElement.scrollWidth") <= 375
        other.service.release()
        push(tab, "Ask again")
        tab.wait("document.querySelectorAll('.answer').length === 2")
        ended(tab, "completed")
        assert card(tab, ".text") == "You asked: hold"
        assert tab.value("window.states").count("anew") == 1
        assert tab.said.violations == []


def test_a_question_that_waits_says_how_many_are_before_it(tab: Tab) -> None:
    """Whenever that changes, until it begins."""
    with Desk() as desk:
        desk.show(tab)
        ask(tab, "wait")
        question, tell = desk.service.asked.get(timeout=GUARD_S)
        for position, words in ((3, " · 2 before you"), (2, " · 1 before you"), (1, " · next")):
            tell(Queued(question_id=question.id, position=position))
            says(tab, ".about", f"front · all{words}")
        tell(Recalled(question_id=question.id, as_of=AS_OF, evidence=()))
        says(tab, ".about", "front · all")
        assert tab.value("document.querySelector('.answer').dataset.status") == "in_progress"
        tell(answered(question, "At last.", "completed"))
        ended(tab, "completed")


def test_a_question_too_many_says_when_it_may_be_asked(tab: Tab) -> None:
    """Not how long from then on: whoever reads it later could not tell."""
    with Desk(ServerOptions(limits=Limits(questions_per_minute=1))) as desk:
        desk.show(tab)
        ask(tab, "one")
        ended(tab, "completed")
        ask(tab, "two")
        ended(tab, "failed")
        assert re.search(r"listens again at \d+:\d\d:\d\d.*: try again then", card(tab, ".trouble"))


def test_a_daemon_that_stops_says_so_and_ends_what_it_has_begun(tab: Tab) -> None:
    """A question that comes too late is told what to do; the one before it is answered; then the page looks for the daemon."""
    with Desk() as desk:
        desk.show(tab)
        ask(tab, "hold")
        tab.wait(f"{PIECES}.length === 1")
        drained = desk.drain(GUARD_S)
        tab.wait("document.querySelector('#link').textContent === 'the daemon stops within 2 min'")
        ask(tab, "too late?")
        ended(tab, "failed")
        assert "stopping" in card(tab, ".trouble")
        assert "Try again when it is back" in card(tab, ".trouble")
        desk.service.release()
        drained.result(GUARD_S)
        tab.wait("window.states.at(-1) === 'waiting'")
        tab.value("document.querySelector('.answer').remove()")
        ended(tab, "completed")
