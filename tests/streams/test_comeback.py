"""When a lost source is tried again, on a clock of the test's own."""

from __future__ import annotations

import pytest

from streams.address import Address, parse_address
from streams.backoff import Backoff
from streams.comeback import Comeback
from streams.orders import Orders
from streams.reading import ReaderOptions


class Clock(Orders):
    """A clock that only naps and knocks move."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0

    def nap(self, seconds: float) -> bool:
        """Pass the time."""
        self.now_s += seconds
        return False


def waited(*, knock_took_s: float, back_after_s: float = 1e9, tries: int = 1) -> float:
    """Seconds that the last of so many waits after a loss took, where a knock fails after so long until the source is back;
    every try in between fails at once.
    """
    clock = Clock()
    began_s = clock.now_s

    def reachable(_address: Address) -> bool:
        there = clock.now_s - began_s >= back_after_s
        clock.now_s += 0.0 if there else knock_took_s
        return there

    options = ReaderOptions(
        backoff=Backoff(first_s=1.0, longest_s=30.0, jitter=0.0),
        monotonic=lambda: clock.now_s,
        reachable=reachable,
    )
    comeback = Comeback(parse_address("rtsp://camera/main"), options, clock)
    for _ in range(tries):
        last_s = clock.now_s
        comeback.wait(comeback.delay_s(refused=False))
    return clock.now_s - last_s


def test_what_refuses_is_tried_soon_for_the_reason() -> None:
    """A port that is closed costs nothing to try, and the try says what is wrong."""
    assert waited(knock_took_s=0.0) == pytest.approx(1.0)


def test_what_is_silent_is_knocked_at_and_not_opened() -> None:
    """Opening it would hang for the whole open timeout: it is left alone as long as the back-off knows."""
    assert waited(knock_took_s=0.7) == pytest.approx(30.0, abs=0.8)


@pytest.mark.parametrize("back_after_s", [0.8, 1.5, 7.0])
def test_its_return_is_noticed_with_the_next_knock(back_after_s: float) -> None:
    """At most a knock that is under way, and a pause, later."""
    took_s = waited(knock_took_s=0.7, back_after_s=back_after_s)
    assert back_after_s <= took_s <= back_after_s + 0.7 + 0.05


def test_what_has_returned_and_turns_us_away_is_tried_again_at_once() -> None:
    """A server that has just started may have no camera ready for the first caller."""
    assert waited(knock_took_s=0.7, back_after_s=7.0, tries=2) == pytest.approx(0.25)
