"""Life: the states of one watch, as a pure function of what was found and when.

    armed      looks, and has found nothing
    pending    yes, but not yet often enough in a row
    triggered  told; looks whether it is still so
    cooling    it was so and is no longer, and the next trigger may not come yet: does not look
    done       "once", and told
    expired    its time is over

    armed --yes--> pending --yes, confirm_n in a row--> triggered --no, confirm_n in a row--> cooling --cooldown--> armed

Triggers come from changes alone: what stays true is told once. Between the threshold and `BAND` below it nothing changes,
so a probability that trembles about the threshold does not make a watch chatter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from livevlm.watching.watch import Change, Rule

State = Literal["armed", "pending", "triggered", "cooling", "done", "expired"]
STATES: tuple[State, ...] = ("armed", "pending", "triggered", "cooling", "done", "expired")
OVER: tuple[State, ...] = ("done", "expired")
BAND = 0.1


@dataclass(frozen=True, slots=True)
class Life:
    """state; streak: evaluations in a row that speak for the next state; ready_utc: before it no trigger may come, POSIX
    seconds.
    """

    state: State = "armed"
    streak: int = 0
    ready_utc: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing will come of it any more."""
        return self.state in OVER

    @property
    def looks(self) -> bool:
        """Whether it wants to be evaluated."""
        return self.state in ("armed", "pending", "triggered")

    @property
    def unsure(self) -> bool:
        """Whether it has found something that the next evaluation is to confirm, however little changes in the picture."""
        return self.streak > 0


Step = tuple[Life, Change | None]


def passed(life: Life, rule: Rule, utc: float) -> Life:
    """The life at a later moment, POSIX seconds: a cooldown ends. A clock that was put back makes none longer."""
    if life.ready_utc - utc > rule.cooldown_s:
        life = replace(life, ready_utc=utc + rule.cooldown_s)
    if life.state == "cooling" and utc >= life.ready_utc:
        return replace(life, state="armed", streak=0)
    return life


def observed(life: Life, rule: Rule, probability: float, utc: float) -> Step:
    """The life after an evaluation of what the frame that arrived at `utc` shows, and what is to be told."""
    assert 0 <= probability <= 1, probability
    life = passed(life, rule, utc)
    yes, no = probability >= rule.threshold, probability < max(0.0, rule.threshold - BAND)
    # A threshold within the band of 0 could never be left again.
    no = no or (rule.threshold <= BAND and not yes)
    match life.state:
        case "armed" | "pending":
            return _hoping(life, rule, yes, no, utc)
        case "triggered":
            return _holding(life, rule, yes, no, utc)
    return life, None


def _hoping(life: Life, rule: Rule, yes: bool, no: bool, utc: float) -> Step:
    if no:
        return replace(life, state="armed", streak=0), None
    if not yes:
        return life, None
    if life.streak + 1 < rule.confirm_n:
        return replace(life, state="pending", streak=life.streak + 1), None
    state: State = "done" if rule.mode == "once" else "triggered"
    return Life(state, 0, utc + rule.cooldown_s), "triggered"


def _holding(life: Life, rule: Rule, yes: bool, no: bool, utc: float) -> Step:
    if yes:
        return replace(life, streak=0), None
    if not no:
        return life, None
    if life.streak + 1 < rule.confirm_n:
        return replace(life, streak=life.streak + 1), None
    return passed(replace(life, state="cooling", streak=0), rule, utc), "cleared"


def ended(life: Life) -> Step:
    """The life when its time is over."""
    return (life, None) if life.over else (replace(life, state="expired", streak=0), "expired")


def resumed(life: Life) -> Life:
    """The life in a new daemon: what was about to be confirmed is looked at anew."""
    state: State = "armed" if life.state == "pending" else life.state
    return replace(life, state=state, streak=0)
