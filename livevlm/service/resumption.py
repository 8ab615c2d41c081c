"""Resumption: which sessions can be resumed, with which token, and for how long after their connection was lost.

No socket and no thread; the clock is given. What is held for a token is the server's own affair.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from livevlm.errors import LiveVLMError
from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.wire import JsonObject, child

T = TypeVar("T")

MAX_ID = 512
LAST_SEQ = 2**53 - 1  # the greatest number that every JSON reader keeps


class NotResumable(LiveVLMError):
    """A session that cannot be resumed."""

    code = "session_not_resumable"
    kind = "not_found_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A client's wish to go on with the session of a token. last_seq: the number of the last event that it has seen."""

    token: str
    last_seq: int
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a session is resumed with: a secret, and for how many seconds after the connection was lost it is good."""

    token: str
    for_s: float

    def told(self, session: JsonObject) -> JsonObject:
        """A session that tells it."""
        resume: JsonObject = {"token": self.token, "for_s": self.for_s}
        return {**session, "livevlm": {**child(session, "livevlm"), "resume": resume}}


def read_session_resume(event: Fields) -> Resume:
    """`session.resume`. Raises InvalidRequest, which does not repeat the token."""
    token = event.text("token", limit=MAX_ID)
    if not token:
        raise InvalidRequest("token: say which session, by the token it told", param="token")
    last_seq = event.integer("last_seq", 0, LAST_SEQ)
    if last_seq is None:
        raise event.invalid("last_seq", "the number of the last event that was seen, 0 for none")
    return Resume(token=token, last_seq=last_seq, event_id=event.text("event_id"))


@dataclass(slots=True, eq=False)
class _Held(Generic[T]):
    """tokens: the newest last. The one that it was got with stays good until the client has spoken: it may never have heard
    of the new one. lost_s: when the connection was lost.
    """

    holder: T
    caller: str
    tokens: list[str]
    lost_s: float | None = None


def random_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


class Resumption(Generic[T]):
    """Holders that clients may come back to. Those whose client is away are at most `most`, and held for `for_s` seconds."""

    def __init__(
        self,
        *,
        for_s: float,
        most: int,
        clock: Callable[[], float],
        new_token: Callable[[], str] = random_token,
    ) -> None:
        """clock: seconds that never go back."""
        self._for_s = for_s
        self._most = most
        self._clock = clock
        self._new_token = new_token
        self._held: list[_Held[T]] = []

    @property
    def away(self) -> int:
        """How many wait for their client."""
        return sum(held.lost_s is not None for held in self._held)

    def admit(self, holder: T, caller: str) -> Ticket | None:
        """A client is there, let in as `caller`. None where nothing is ever resumed."""
        if self._for_s <= 0 or self._most <= 0:
            return None
        held = _Held(holder, caller, [])
        self._held.append(held)
        return self._issue(held)

    def find(self, token: str, caller: str) -> T:
        """What is held for a token; `caller` must be the same as before. Raises NotResumable."""
        return self._of(token, caller).holder

    def renew(self, token: str, caller: str) -> Ticket:
        """Its client is there again, with this token: the next one. Raises NotResumable."""
        held = self._of(token, caller)
        held.lost_s = None
        held.tokens = [token]
        return self._issue(held)

    def spoken(self, holder: T) -> None:
        """The client has heard of its newest token: others are spent."""
        for held in self._held:
            if held.holder is holder:
                del held.tokens[:-1]

    def lose(self, holder: T) -> list[T]:
        """The connection of a holder was lost: those that are held no longer, itself where it cannot be."""
        found = [held for held in self._held if held.holder is holder]
        for held in found:
            self._held.remove(held)
            self._held.append(held)  # in the order in which they were lost
            held.lost_s = self._clock()
        lost = [held for held in self._held if held.lost_s is not None]
        dropped = self._drop(lost[: max(0, len(lost) - self._most)])
        return dropped if found else [*dropped, holder]

    def expired(self) -> list[T]:
        """Those whose client has stayed away for too long; they are held no longer."""
        return self._drop([held for held in self._held if self._is_over(held)])

    def forget(self, holder: T) -> None:
        """It cannot be resumed any more."""
        self._drop([held for held in self._held if held.holder is holder])

    def end(self) -> list[T]:
        """Nothing is resumed from now on: those whose client is away."""
        self._for_s = 0
        lost = [held.holder for held in self._held if held.lost_s is not None]
        self._held.clear()
        return lost

    def _issue(self, held: _Held[T]) -> Ticket:
        held.tokens.append(self._new_token())
        return Ticket(token=held.tokens[-1], for_s=self._for_s)

    def _of(self, token: str, caller: str) -> _Held[T]:
        given = token.encode()
        # All are compared, each in constant time: how long it takes tells nothing.
        good = [
            held
            for held in self._held
            if any([hmac.compare_digest(given, known.encode()) for known in held.tokens])
        ]
        for held in good:
            if not self._is_over(held) and hmac.compare_digest(
                held.caller.encode(), caller.encode()
            ):
                return held
        raise NotResumable(
            "no session can be resumed with this token: it was used, or the session is over; "
            "this one is a fresh one, go on with it"
        )

    def _is_over(self, held: _Held[T]) -> bool:
        return held.lost_s is not None and self._clock() - held.lost_s >= self._for_s

    def _drop(self, those: list[_Held[T]]) -> list[T]:
        self._held = [held for held in self._held if held not in those]
        return [held.holder for held in those]
