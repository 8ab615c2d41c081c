"""Ledger: all that one client has under way, whichever connection carries it. No socket, no clock and no task in here.

What is asked becomes texts to send (`outgoing`); what the daemon says (`opened`, `receive`) settles it. When a connection is
`lost`, a new one begins with the wish to resume the session. Where the daemon agrees, it sends what was missed and says how
many of our events had arrived, so that the others are sent again: nothing is done twice, and nothing is forgotten. Where it
does not, what was under way ends with ServerUnreachable, and what had not been sent yet goes to the new session.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from livevlm.client.audience import Audience
from livevlm.client.reply import Reply
from livevlm.errors import LiveVLMError, RateLimited, ServerUnreachable
from livevlm.service.asking import error_from, read_progress
from livevlm.service.wire import PROTOCOL, Json, JsonObject, child, encode, read_failure

Settle = Callable[[JsonObject | LiveVLMError], None]


class Sending(NamedTuple):
    """One event of ours."""

    event_id: str
    text: str


class Ledger:
    """To be used on one asyncio loop. `wake` is called when there is something to send."""

    def __init__(self, audience: Audience, wake: Callable[[], None]) -> None:
        self.session: JsonObject = {}
        self._audience = audience
        self._wake = wake
        self._numbers = itertools.count(1)
        self._unsent: deque[Sending] = deque()
        self._sent: deque[Sending] = deque()  # not known to have arrived, oldest first
        self._arrived = 0  # of the session's events, those that are known to have arrived
        self._waiting: dict[str, Settle] = {}
        self._replies: dict[str, Reply] = {}
        self._renewing: list[str] = []
        self._up = False
        self._seq = 0
        self._token: str | None = None
        self._resuming: tuple[str, JsonObject] | None = None
        self._lost: ServerUnreachable | None = None
        self._over: LiveVLMError | None = None

    @property
    def up(self) -> bool:
        """Whether there is a session on a connection now."""
        return self._up

    def request(self, kind: str, fields: JsonObject, settle: Settle) -> str:
        """Ask for something: `settle` gets the event that answers it, or the error. Gives back the event's id.

        Raises LiveVLMError where there has been no daemon for too long, or the client is closed.
        """
        if self._over is not None:
            raise self._over
        sending = self._sending(kind, fields)
        self._waiting[sending.event_id] = settle
        self._unsent.append(sending)
        self._wake()
        return sending.event_id

    def withdraw(self, event_id: str) -> None:
        """Nobody waits for this any more. What has not been sent yet will not be."""
        self._waiting.pop(event_id, None)
        self._unsent = deque(one for one in self._unsent if one.event_id != event_id)

    def ask(self, response: JsonObject, reply: Reply) -> None:
        """Ask a question; `reply` gets all that comes of it."""

        def settle(result: JsonObject | LiveVLMError) -> None:
            if isinstance(result, LiveVLMError):
                reply.fail(result)
                return
            accepted = child(result, "response")
            reply.accepted(str(accepted.get("id")), str(child(accepted, "livevlm").get("stream")))
            self._replies[reply.id] = reply
            if reply.cancelled:
                self.cancel(reply)  # whoever asked has given up meanwhile

        try:
            self.request("response.create", {"response": response}, settle)
        except LiveVLMError as error:
            reply.fail(error)

    def cancel(self, reply: Reply) -> None:
        """Have an answer stopped, as soon as the daemon has accepted its question."""
        if reply.id in self._replies and self._over is None:
            self._unsent.append(self._sending("response.cancel", {"response_id": reply.id}))
            self._wake()

    def outgoing(self) -> str | None:
        """The next text to send, which is then taken to be on its way; None while there is none."""
        if not (self._up and self._unsent):
            return None
        sending = self._unsent.popleft()
        self._sent.append(sending)
        return sending.text

    def opened(self, greeting: JsonObject) -> str | None:
        """A new connection's first event. Gives back what must be sent before all else: the wish to resume, where there is a
        session to go on with. ValueError where this is no daemon's greeting.
        """
        if greeting.get("type") != "session.created":
            raise ValueError(f"it does not begin with session.created, as {PROTOCOL} does")
        if self._token is None:
            self._begin(greeting)
            return None
        wish: JsonObject = {"token": self._token, "last_seq": self._seq}
        sending = self._sending("session.resume", wish)
        self._resuming = sending.event_id, greeting
        return sending.text

    def receive(self, event: JsonObject) -> None:
        """What the daemon says on a connection that was opened."""
        if self._resuming is not None:
            self._resume(event, *self._resuming)
            return
        seq = event.get("seq")
        if isinstance(seq, int):
            if seq <= self._seq:
                return  # it was heard before the connection was lost
            self._seq = seq
        kind = str(event.get("type"))
        if kind == "error":
            self._refused(child(event, "error"))
        elif kind == "response.created":
            asked = child(event, "response", "livevlm").get("client_event_id")
            self._settle(str(asked), event)
        elif "client_event_id" in event:
            self._audience.note(event)
            self._settle(str(event["client_event_id"]), event)
        elif kind.startswith("response."):
            self._progress(kind, event)
        else:
            self._audience.hear(kind, event)

    def lost(self, error: ServerUnreachable) -> None:
        """The connection is gone; there may be another."""
        self._up, self._resuming, self._lost = False, None, error
        if self._token is None:
            self._drop(error)

    def give_up(self, error: LiveVLMError) -> None:
        """There has been no connection for too long: all who wait are told, and who asks from now on, until there is one."""
        self._over, self._token = error, None
        self._drop(error)
        self._unsent.clear()
        waiting, self._waiting = self._waiting, {}
        for settle in waiting.values():
            settle(error)

    def end(self, error: LiveVLMError) -> None:
        """There will be no other connection."""
        self.give_up(error)
        self._audience.close(error)

    def _sending(self, kind: str, fields: JsonObject) -> Sending:
        event_id = f"client_{next(self._numbers)}"
        return Sending(event_id, encode({"type": kind, "event_id": event_id, **fields}))

    def _begin(self, greeting: JsonObject) -> None:
        """A new session, beside which there is none any more."""
        self._seq = _count(greeting.get("seq"))
        self._arrived = 0
        for event_id in self._renewing:
            self.withdraw(event_id)  # from a session that did not last
        self._renewing.clear()
        for kind, fields, settle in reversed(self._audience.renewals()):
            sending = self._sending(kind, fields)
            self._waiting[sending.event_id] = settle
            self._unsent.appendleft(sending)
            self._renewing.append(sending.event_id)
        self._go_on(child(greeting, "session"))

    def _go_on(self, session: JsonObject) -> None:
        token = child(session, "livevlm", "resume").get("token")
        self.session = session
        self._token = token if isinstance(token, str) else None
        self._up, self._over, self._resuming = True, None, None
        self._wake()

    def _resume(self, event: JsonObject, event_id: str, greeting: JsonObject) -> None:
        """What the daemon says to the wish to resume; what else the new session says before is of no interest."""
        if event.get("type") == "session.resumed":
            while self._sent and self._arrived < _count(event.get("received")):
                self._sent.popleft()
                self._arrived += 1
            self._unsent.extendleft(reversed(self._sent))
            self._sent.clear()
            self._go_on(child(event, "session"))
        elif event.get("type") == "error" and child(event, "error").get("event_id") == event_id:
            why = child(event, "error").get("message")
            before = "it broke" if self._lost is None else self._lost.message
            self._drop(
                ServerUnreachable(
                    f"{before}; the session could not be resumed ({why}), so what was under way is lost; ask again"
                )
            )
            self._begin({**greeting, "seq": event.get("seq")})
            self._arrived = 1  # the new session has read the wish

    def _drop(self, error: LiveVLMError) -> None:
        """What the daemon had been asked in the session that is no more will not be answered."""
        self._sent.clear()
        unsent = {one.event_id for one in self._unsent}
        for event_id in [one for one in self._waiting if one not in unsent]:
            self._waiting.pop(event_id)(error)
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply.fail(error)

    def _settle(self, event_id: str, result: JsonObject | LiveVLMError) -> None:
        self._acknowledge(event_id)
        settle = self._waiting.pop(event_id, None)
        if settle is not None:
            settle(result)

    def _acknowledge(self, event_id: str) -> None:
        """What is answered has arrived, and all that was sent before it."""
        if any(one.event_id == event_id for one in self._sent):
            while self._sent.popleft().event_id != event_id:
                self._arrived += 1
            self._arrived += 1

    def _refused(self, error: JsonObject) -> None:
        failure = read_failure(error)
        if failure is None:
            return
        refusal, wait_ms = error_from(failure), error.get("retry_after_ms")
        if isinstance(refusal, RateLimited) and isinstance(wait_ms, int | float):
            refusal.retry_after_s = wait_ms / 1000
        self._settle(str(error.get("event_id")), refusal)

    def _progress(self, kind: str, event: JsonObject) -> None:
        done = kind == "response.done"
        response_id = str(child(event, "response").get("id") if done else event.get("response_id"))
        reply = self._replies.get(response_id)
        if reply is None:
            return
        if done:
            del self._replies[response_id]
        found = read_progress(event, response_id)
        if found is not None:
            reply.put(found)


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0
