"""Desk: a session and an engine across one table, without threads or sockets; ids and times are counted."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from livevlm.changes import Change
from livevlm.errors import QueueFull
from livevlm.messages import AnswerEvent, Errand, Question, Queued, StreamStatus
from livevlm.service.backlog import Backlog
from livevlm.service.fields import Fields
from livevlm.service.protocol import (
    Alter,
    Cancel,
    Close,
    Order,
    Output,
    Run,
    Session,
    SessionOptions,
    Submit,
)
from livevlm.service.resumption import NotResumable, Resume, Ticket, read_session_resume
from livevlm.service.wire import JsonObject, encode
from livevlm.watching.watch import Change as WatchChange
from tests.livevlm.service.fake_service import (
    FakeWatches,
    answer,
    carried_out,
    made,
    stream_status,
)

NOW = 1_790_000_013.25


class Desk:
    """What the session says is in `said`; questions wait in `open` until they are answered. Errands are run at once. `closed`:
    why the session wants its connection closed. `now`: seconds, for the limits; the test moves it.
    """

    def __init__(self, *names: str, options: SessionOptions | None = None) -> None:
        self.statuses: list[StreamStatus] = [stream_status(name) for name in names or ("front",)]
        self.is_ready = True
        self.said: list[dict[str, Any]] = []
        self.questions: list[Question] = []
        self.open: dict[str, Question] = {}
        self.errands: list[Errand] = []
        self.changes: list[Change] = []
        self.watches = FakeWatches()
        self.cancelled: list[str] = []
        self.closed: list[Close] = []
        self.now = 0.0
        self._counts: Counter[str] = Counter()
        ticks = itertools.count()
        self.session = Session(
            self,
            options=options or SessionOptions(),
            new_id=self._new_id,
            clock=lambda: NOW + next(ticks) / 1000,
            monotonic=lambda: self.now,
        )
        self.backlog = Backlog(1 << 20)
        self.perform(self.session.opened(self._ticket()))

    def streams(self) -> Sequence[StreamStatus]:
        """For the session."""
        return self.statuses

    def ready(self) -> bool:
        """For the session."""
        return self.is_ready

    def info(self) -> dict[str, str]:
        """For the session."""
        return {"version": "0.1.0", "model": "bundled"}

    def tell(self, event: object) -> list[dict[str, Any]]:
        """The client says something (JSON text as it is, anything else as JSON); what the session said to it."""
        text = event if isinstance(event, (str, bytes)) else json.dumps(event)
        before = len(self.said)
        self.perform(self.session.receive(text))
        return self.said[before:]

    def resume(self, event: JsonObject) -> list[dict[str, Any]]:
        """The connection was lost, and the client comes back with this event; what it hears: no new session, but this one."""
        wish = read_session_resume(Fields(event))
        replayed = self.backlog.rewind(wish.last_seq)
        resumed = self.session.resumed(wish, self._ticket(), replayed=replayed)
        heard = [json.loads(encode(resumed)), *(self._written() for _ in range(replayed))]
        self.said += heard
        return heard

    def answer(self, question_id: str | None = None) -> list[dict[str, Any]]:
        """The engine answers a question (the oldest one), or ends it if it was cancelled; what the session said."""
        question = self.open.pop(question_id or next(iter(self.open)))
        before = len(self.said)
        answer(question, self.deliver, held=lambda held: held not in self.cancelled)
        return self.said[before:]

    def queue(self, position: int) -> list[dict[str, Any]]:
        """The newest question waits, and stands there in line; what the session said of it."""
        before = len(self.said)
        self.deliver(Queued(question_id=self.questions[-1].id, position=position))
        return self.said[before:]

    def deliver(self, event: AnswerEvent) -> None:
        """The engine says something."""
        self.perform(self.session.deliver(event))

    def notice(self) -> list[dict[str, Any]]:
        """Somebody looks at the streams; what the session said of them."""
        before = len(self.said)
        self.perform(self.session.notice(self.statuses))
        return self.said[before:]

    def hear(self, change: WatchChange, number: int = 0) -> list[dict[str, Any]]:
        """A watch tells something; what the session said of it."""
        before = len(self.said)
        self.perform(self.session.hear(self.watches.event(change, number)))
        return self.said[before:]

    def perform(self, outputs: list[Output]) -> None:
        """Do what the session wants done."""
        for output in outputs:
            if isinstance(output, Submit):
                self._submit(output.question)
            elif isinstance(output, Cancel):
                self.cancelled.append(output.question_id)
            elif isinstance(output, Close):
                self.closed.append(output)
            elif isinstance(output, Resume):
                gone = NotResumable("no session is kept")
                self.perform(self.session.refused_resume(output, gone))
            elif isinstance(output, Run):
                self.errands.append(output.errand)
                names = [status.name for status in self.statuses]
                self.perform(self.session.settled(output.id, carried_out(output.errand, names)))
            elif isinstance(output, Alter):
                self.changes.append(output.change)
                self.perform(self.session.settled(output.id, made(output.change, self.statuses)))
            elif isinstance(output, Order):
                self.perform(self.session.settled(output.id, self.watches.carry_out(output.order)))
            else:
                self.said.append(self._sent(output))

    def _submit(self, question: Question) -> None:
        if question.text == "full":
            self.perform(self.session.refused(question.id, QueueFull("64 questions wait already")))
            return
        self.questions.append(question)
        self.open[question.id] = question
        self.perform(self.session.accepted(question.id))

    def _new_id(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"

    def _sent(self, event: JsonObject) -> dict[str, Any]:
        """An event as it arrives."""
        self.backlog.put(event)
        return self._written()

    def _written(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.backlog.take() or "")
        return sent

    def _ticket(self) -> Ticket:
        return Ticket(token=self._new_id("opaque"), for_s=60)
