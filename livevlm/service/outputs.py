"""Outputs: what a session wants done, and what comes back of it."""

from __future__ import annotations

from dataclasses import dataclass

from livevlm.changes import Change, Changed
from livevlm.errors import LiveVLMError
from livevlm.messages import Errand, Question, Result
from livevlm.service.resumption import Resume
from livevlm.service.wire import JsonObject
from livevlm.watching.orders import WatchOrder, WatchResult


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand the question to the engine."""

    question: Question


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the engine that nobody waits for this answer."""

    question_id: str


@dataclass(frozen=True, slots=True)
class Run:
    """Have the engine run an errand."""

    id: str
    errand: Errand


@dataclass(frozen=True, slots=True)
class Alter:
    """Have a stream added, removed, paused or resumed."""

    id: str
    change: Change


@dataclass(frozen=True, slots=True)
class Order:
    """Have something done about watches."""

    id: str
    order: WatchOrder


@dataclass(frozen=True, slots=True)
class Close:
    """Send what was said so far, then close the connection: the client does not keep to the limits."""

    code: int
    reason: str


Output = JsonObject | Submit | Cancel | Run | Alter | Order | Close | Resume
Outcome = Result | Changed | WatchResult | LiveVLMError
