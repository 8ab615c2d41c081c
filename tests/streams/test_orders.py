"""What is asked of a stream's thread."""

from __future__ import annotations

import threading

from streams.orders import Orders


def test_a_pause_ends_what_was_begun_before_it() -> None:
    """Also where it is over before the thread looked: what a source gave meanwhile is not to be trusted."""
    orders = Orders()
    assert orders.rest()
    assert not orders.leaving
    orders.pause()
    orders.resume()
    assert orders.leaving
    assert orders.rest()
    assert not orders.leaving


def test_resting_lasts_until_resume() -> None:
    """However often pause is called."""
    orders, went_on = Orders(), []
    orders.pause()
    orders.pause()
    thread = threading.Thread(target=lambda: went_on.append(orders.rest()), daemon=True)
    thread.start()
    thread.join(0.05)
    assert went_on == []
    orders.resume()
    thread.join(30)
    assert went_on == [True]
    assert not orders.leaving


def test_the_end_wakes_whoever_rests_or_naps() -> None:
    """Nothing that is paused or waiting holds up the daemon's end."""
    orders, seen = Orders(), []
    orders.rest()
    napper = threading.Thread(target=lambda: seen.append(orders.nap(3600)), daemon=True)
    napper.start()
    orders.pause()
    napper.join(30)
    sleeper = threading.Thread(target=lambda: seen.append(orders.rest()), daemon=True)
    sleeper.start()
    orders.stop()
    sleeper.join(30)
    assert seen == [True, False]
    assert orders.leaving
    assert orders.stopping


def test_a_nap_that_nobody_disturbs() -> None:
    """It ends by itself, and a moment that is past is not waited for."""
    orders = Orders()
    assert not orders.nap(0.001)
    assert not orders.nap(-5)
