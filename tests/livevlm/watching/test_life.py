"""The life of a watch, for any run of probabilities: a pure function, so time is numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from livevlm.watching.life import BAND, STATES, Life, ended, observed, passed, resumed
from livevlm.watching.watch import Change, Rule

Told = list[tuple[Change, float]]


def run(rule: Rule, seen: list[tuple[float, float]], life: Life | None = None) -> tuple[Life, Told]:
    """Probabilities with the seconds since the one before -> the life in the end, and what was told when."""
    life, now, told = life or Life(), 0.0, []
    for probability, later in seen:
        now += later
        life = passed(life, rule, now)
        if life.looks:
            life, change = observed(life, rule, probability, now)
            if change is not None:
                told.append((change, now))
    return life, told


def said(rule: Rule, *probabilities: float) -> list[Change]:
    """What is told of probabilities a second apart."""
    return [change for change, _ in run(rule, [(one, 1.0) for one in probabilities])[1]]


RULES = st.builds(
    Rule,
    mode=st.sampled_from(["once", "repeat"]),
    cooldown_s=st.floats(0, 20),
    confirm_n=st.integers(1, 4),
    threshold=st.floats(0.01, 0.99),
)
SEEN = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5)), max_size=60)


def test_what_stays_true_is_told_once() -> None:
    """An alert is a change, not a state."""
    assert said(Rule(cooldown_s=0), 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9) == [
        "triggered",
        "cleared",
        "triggered",
    ]


def test_so_many_in_a_row_are_believed() -> None:
    """One frame that is misread neither triggers nor clears."""
    rule = Rule(cooldown_s=0, confirm_n=2)
    assert said(rule, 0.9, 0.1, 0.9, 0.1) == []
    assert said(rule, 0.9, 0.9, 0.1, 0.9, 0.1) == ["triggered"]
    assert said(rule, 0.9, 0.9, 0.1, 0.1) == ["triggered", "cleared"]


def test_a_probability_about_the_threshold_does_not_chatter() -> None:
    """Between the threshold and the band below it nothing changes."""
    just_below = 0.5 - BAND / 2
    assert said(Rule(cooldown_s=0), 0.5, just_below, 0.5, just_below, 0.5) == ["triggered"]


def test_during_the_cooldown_nothing_triggers_and_nothing_is_looked_at() -> None:
    """The cooldown runs from the trigger; afterwards the next yes counts."""
    rule = Rule(cooldown_s=10)
    life, told = run(rule, [(0.9, 1.0), (0.1, 1.0)])
    assert (life.state, life.looks) == ("cooling", False)
    again, more = run(rule, [(0.9, 1.0)] * 12, life)
    assert [change for change, _ in told] == ["triggered", "cleared"]
    assert more == [("triggered", 11.0)]
    assert again.state == "triggered"


def test_once_is_once() -> None:
    """After the first trigger the watch is done."""
    life, told = run(Rule(mode="once", cooldown_s=0), [(0.9, 1.0), (0.1, 1.0), (0.9, 1.0)])
    assert (life.state, told) == ("done", [("triggered", 1.0)])


def test_a_clock_that_was_put_back_makes_no_cooldown_longer() -> None:
    """A watch is not deaf for a year because the clock was wrong for a minute."""
    rule = Rule(cooldown_s=10)
    life = Life("cooling", 0, 1_000_000.0)
    assert passed(passed(life, rule, 500.0), rule, 509.0).state == "cooling"
    assert passed(passed(life, rule, 500.0), rule, 510.0).state == "armed"


@given(rule=RULES, seen=SEEN)
def test_whatever_comes_triggers_keep_their_rules(
    rule: Rule, seen: list[tuple[float, float]]
) -> None:
    """Triggers and clears alternate, triggers keep the cooldown apart, confirm_n evaluations stand before each change."""
    life, told = run(rule, seen)
    assert life.state in STATES
    changes = [change for change, _ in told]
    assert changes == (["triggered", "cleared"] * len(changes))[: len(changes)]
    times = [now for change, now in told if change == "triggered"]
    assert all(later - early >= rule.cooldown_s - 1e-9 for early, later in pairwise(times))
    assert len(told) * rule.confirm_n <= len(seen)
    if rule.mode == "once":
        assert changes in ([], ["triggered"])


@given(rule=RULES, seen=SEEN)
def test_a_certain_yes_triggers_and_a_certain_no_clears(
    rule: Rule, seen: list[tuple[float, float]]
) -> None:
    """From wherever a repeating watch is, it can be had to tell: no state is a trap."""
    rule = Rule(cooldown_s=rule.cooldown_s, confirm_n=rule.confirm_n, threshold=rule.threshold)
    life, _ = run(rule, seen)
    for probability, change in ((0.0, "cleared"), (1.0, "triggered"), (0.0, "cleared")):
        held = life.state == "triggered"
        life, told = run(rule, [(probability, 100.0)] * (rule.confirm_n + 1), life)
        assert [one for one, _ in told] == ([change] if held == (change == "cleared") else [])


@given(rule=RULES, seen=SEEN)
def test_the_end_is_the_end(rule: Rule, seen: list[tuple[float, float]]) -> None:
    """Expiring is told once, unless the watch was done; nothing is told after it."""
    life, _ = run(rule, seen)
    gone, change = ended(life)
    assert change == (None if life.state == "done" else "expired")
    assert gone.over
    assert ended(gone) == (gone, None)
    assert run(rule, [(1.0, 100.0)] * 10, gone) == (gone, [])


def test_a_new_daemon_goes_on_with_what_was_told() -> None:
    """What still holds is not told again; what was only half confirmed begins anew; a cooldown goes on."""
    rule = Rule(confirm_n=2)
    assert resumed(Life("pending", 1)) == Life("armed", 0)
    assert run(rule, [(0.9, 1.0)] * 5, resumed(Life("triggered", 1, 70.0)))[1] == []
    assert resumed(Life("cooling", 0, 70.0)) == Life("cooling", 0, 70.0)
