"""When the frames of a recording are due."""

from __future__ import annotations

import pytest

from streams.pace import Pace


@pytest.mark.parametrize(("speed", "left_s"), [(1.0, 8.0), (2.0, 3.0), (20.0, -1.5)])
def test_frames_are_due_by_their_own_time(speed: float, left_s: float) -> None:
    """Counted from the first one, wherever its time begins; two seconds have passed since."""
    pace = Pace(speed)
    assert pace.left_s(70.0, 1000.0) == 0
    assert pace.left_s(80.0, 1002.0) == left_s


def test_a_rest_puts_off_what_is_to_come() -> None:
    """What was due in a minute is due in a minute again, not at once for all that was missed."""
    pace = Pace(1.0)
    pace.put_off(5)
    pace.left_s(0.0, 1000.0)
    pace.put_off(3600)
    assert pace.left_s(60.0, 4600.0) == 60
