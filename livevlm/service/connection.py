"""Connection: one client between its session, the service and its outbox; over which socket does not matter here."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from livevlm.changes import Change, Told
from livevlm.errors import LiveVLMError
from livevlm.messages import AnswerEvent, Done, Errand, Question, Sink, StreamStatus
from livevlm.service.outbox import Ending, Outbox
from livevlm.service.outputs import Alter, Cancel, Close, Order, Outcome, Output, Run, Submit
from livevlm.service.protocol import Session
from livevlm.service.resumption import NotResumable, Resume, Ticket
from livevlm.service.view import View
from livevlm.service.wire import JsonObject
from livevlm.watching.orders import WatchDone, WatchOrder
from livevlm.watching.watch import WatchEvent


class Service(View, Protocol):
    """What answers, from threads of its own. `submit`, `errand`, `change` and `watch` raise LiveVLMError for what they do not
    take.

    For each question taken, the sink gets what `livevlm.messages` says, for each errand and each order `done` is called once,
    for each change `told`, and listeners hear what watches tell; all may be called from any thread, and never wait.
    """

    def submit(self, question: Question, sink: Sink) -> None: ...
    def cancel(self, question_id: str) -> bool: ...
    def errand(self, errand: Errand, done: Done) -> None: ...
    def change(self, change: Change, told: Told) -> None: ...
    def watch(self, order: WatchOrder, done: WatchDone) -> None: ...
    def listen(self, listener: Callable[[WatchEvent], None]) -> None: ...


class Connection:
    """One session, over whatever sockets its client comes by; for one asyncio loop. `changed` is called when an answer has
    ended, `overflow` when more waits for the client than may. Nothing that it holds leads back to it, so that all of it goes
    with its last holder: the garbage collector may take minutes to find what holds itself.
    """

    def __init__(
        self,
        session: Session,
        *,
        service: Service,
        outbox: Outbox,
        changed: Callable[[], None],
        overflow: Callable[[Connection], None],
    ) -> None:
        self._session = session
        self._service = service
        self._outbox = outbox
        self._changed = changed
        self._overflow = overflow
        self._wish: Resume | None = None
        self._loop = asyncio.get_running_loop()
        self.over = False

    @property
    def waiting(self) -> bool:
        """Whether an answer has yet to end."""
        return not self.over and self._session.open_questions > 0

    @property
    def subscribed(self) -> bool:
        """Whether there is something to be noticed for the client."""
        return not self.over and self._session.subscribed

    @property
    def kept_bytes(self) -> int:
        """What is kept for the client, written or not."""
        return self._outbox.backlog.kept_bytes

    @property
    def outbox(self) -> Outbox:
        """What its newest socket is to send."""
        return self._outbox

    @property
    def finished(self) -> bool:
        """Whether nothing more is told, not even to a client that comes back."""
        return self.over or self._outbox.closed

    def open(self, ticket: Ticket | None = None) -> None:
        """Greet the client. ticket: what it may resume the session with."""
        self._perform(self._session.opened(ticket))

    def receive(self, message: str | bytes) -> Resume | None:
        """One message of the client. Where it wants a session resumed, that wish: `refuse` it, or have the other `resume`."""
        if self.over:
            return None
        self._perform(self._session.receive(message))
        wish, self._wish = self._wish, None
        return wish

    def refuse(self, wish: Resume, error: LiveVLMError) -> None:
        """What the client wants resumed cannot be; this session goes on."""
        if not self.over:
            self._perform(self._session.refused_resume(wish, error))

    def check(self, wish: Resume) -> None:
        """Raises NotResumable where what the client has missed is not kept, or the session was closed on purpose."""
        if self.finished:
            raise NotResumable("this session was closed by the daemon; go on with the new one")
        self._outbox.backlog.check(wish.last_seq)

    def resume(self, wish: Resume, ticket: Ticket) -> Outbox:
        """The client is there again: the outbox of its new socket; the one before gives out no more. Raises NotResumable."""
        backlog = self._outbox.backlog
        replayed = backlog.rewind(wish.last_seq)
        self._outbox.discard()
        greeting = self._session.resumed(wish, ticket, replayed=replayed)
        self._outbox = Outbox(backlog, greeting=greeting)
        return self._outbox

    def lose(self) -> None:
        """The socket is lost, and the client may come back: what is to be told is kept."""
        self._outbox.discard()
        self._outbox.backlog.away = True

    def notice(self, statuses: Sequence[StreamStatus]) -> None:
        """The streams are so now: tell the client what it has asked to be told of."""
        if not self.over:
            self._perform(self._session.notice(statuses))

    def hear(self, event: WatchEvent) -> None:
        """A watch tells something."""
        if not self.over:
            self._perform(self._session.hear(event))

    def going_away(self, *, time_left_s: float, reason: str) -> None:
        """Tell the client that the daemon stops soon."""
        self._perform(self._session.going_away(time_left_s=time_left_s, reason=reason))

    def cancel_all(self) -> None:
        """Cancel what the client has asked; the answers' ends are still told."""
        self._perform(self._session.closed())

    def finish(self, ending: Ending) -> None:
        """Send what is queued, then nothing more; the socket is to be closed so."""
        self._outbox.close(ending)

    def make_way(self) -> None:
        """Another session goes on over this socket: what was said is still sent, and nothing more."""
        self.over = True
        self._outbox.close()

    def leave(self) -> None:
        """The client is gone for good: cancel what it asked and forget what it was to be told."""
        if not self.over:
            self.over = True
            self._outbox.discard()
            self._perform(self._session.closed())
            self._changed()

    def _perform(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Submit(question):
                    self._submit(question)
                case Cancel(question_id):
                    self._service.cancel(question_id)
                case Run(errand_id, errand):
                    self._run(errand_id, functools.partial(self._service.errand, errand))
                case Alter(errand_id, change):
                    self._run(errand_id, functools.partial(self._service.change, change))
                case Order(errand_id, order):
                    self._run(errand_id, functools.partial(self._service.watch, order))
                case Resume():
                    self._wish = output
                case Close(code, reason):
                    self.finish(Ending(code, reason))
                case _:
                    self._send(output)

    def _submit(self, question: Question) -> None:
        try:
            self._service.submit(question, self._sink)
        except LiveVLMError as error:
            self._perform(self._session.refused(question.id, error))
        else:
            self._perform(self._session.accepted(question.id))

    def _run(self, errand_id: str, begin: Callable[[Callable[[Outcome], None]], None]) -> None:
        def done(result: Outcome) -> None:
            self._on_loop(self._settle, errand_id, result)

        try:
            begin(done)
        except LiveVLMError as error:
            self._perform(self._session.settled(errand_id, error))

    def _send(self, event: JsonObject) -> None:
        if not self.over and not self._outbox.put(event):
            self._overflow(self)

    def _sink(self, event: AnswerEvent) -> None:
        """Called by the service, on its thread."""
        self._on_loop(self._deliver, event)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return  # the loop is closed: the server has gone, and with it whoever asked

    def _deliver(self, event: AnswerEvent) -> None:
        if not self.over:
            self._tell(self._session.deliver(event))

    def _settle(self, errand_id: str, result: Outcome) -> None:
        if not self.over:
            self._tell(self._session.settled(errand_id, result))

    def _tell(self, outputs: Iterable[Output]) -> None:
        self._perform(outputs)
        if not self.waiting:
            self._changed()
