"""Which frame is shown: the one that the question looked at most, and the one that was in view at a time."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.pictures import frame_at, pictured
from memory import Archive, KeepAll, ReadAll, Recall, Span, StreamMemory
from tests.memory.making import archive, block, memory, question

FRAMES, TOKENS = 12, 3


def seen(*, frames: int = FRAMES, tokens: int = TOKENS, pictures: bool = True) -> StreamMemory:
    """Frames a second apart, 3 tokens each: they straddle the archive's pages of 4 tokens, and its segments of 8."""
    store = memory(KeepAll(), ReadAll(), frame_tokens=4, archive=archive(page=4, pages=2))
    for first in range(frames):
        shown = {first: f"picture {first}".encode()} if pictures else {}
        store.append(block(1, first=first, tokens=tokens), shown)
    return store


def held(store: StreamMemory) -> Archive:
    """Its archive."""
    assert store.archive is not None
    return store.archive


def recall() -> Recall:
    """All of it."""
    return seen().recall(question())


def span(start: float, end: float) -> Span:
    """A span of evidence."""
    return Span(start, end, start + 1000, end + 1000, 0.5, "long")


def test_the_frame_that_got_most_attention_is_shown() -> None:
    """Of those in the span, all layers together; what got more outside of it does not count."""
    found = recall()
    mass = torch.zeros(2, len(found))
    for frame, share in ((2, 9.0), (5, 1.0), (6, 3.0), (7, 2.0)):
        mass[0][found.frames[0] == frame] = share
    mass[1][found.frames[1] == 7] = 2.0
    spans = [span(5, 7), span(5, 6), span(0, 3), span(5, 5)]
    assert pictured(spans, found, mass, held(seen())) == [7, 6, 2, 5]


def test_attention_is_counted_whatever_its_type() -> None:
    """A model in half precision has its evidence shown too."""
    found = recall()
    mass = torch.rand(2, len(found)).bfloat16()
    assert pictured([span(5, 5)], found, mass, held(seen())) == [5]


def test_what_is_not_kept_is_not_promised() -> None:
    """No archive, an archive without pictures, a picture that was forgotten meanwhile."""
    found, mass = recall(), torch.ones(2, len(recall()))
    store = seen()
    store.forget((5, 5))
    assert pictured([span(5, 5)], found, mass, None) == [None]
    assert pictured([span(5, 5)], found, mass, held(seen(pictures=False))) == [None]
    assert pictured([span(5, 5), span(6, 6)], found, mass, held(store)) == [None, 6]


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 3 * FRAMES),
    st.floats(-3, 3 * FRAMES + 3, allow_nan=False),
    st.floats(0, 20),
    st.none() | st.tuples(st.integers(0, FRAMES), st.integers(0, FRAMES)),
)
def test_the_nearest_frame_of_all_is_found(
    frames: int, middle: float, around: float, forgotten: tuple[int, int] | None
) -> None:
    """Wherever in the archive it lies: on a page, across two, behind the last one, beside a hole; else there is none. A frame
    that forgetting left on no page may be passed over for one that is inside of the span as well.
    """
    store = seen(frames=frames)
    left = set(range(frames))
    if forgotten is not None:
        store.forget((min(forgotten), max(forgotten)))
        left -= set(range(min(forgotten), max(forgotten) + 1))
    start, end = middle - around, middle + around
    inside = {frame for frame in left if start <= frame <= end}
    found = frame_at(held(store), (start, end))
    if forgotten is None:
        centre = (start + end) / 2
        nearest = min((abs(frame - centre) for frame in inside), default=None)
        assert (found is None) == (nearest is None)
        assert found is None or abs(found - centre) <= (nearest or 0) + 1e-9
    assert found is None or found in inside


def test_an_empty_archive_shows_nothing() -> None:
    """Not even an error."""
    assert frame_at(held(seen(frames=0)), (-1.0, 1.0)) is None
    store = seen()
    store.forget((-torch.inf, torch.inf))
    assert frame_at(held(store), (4.0, 6.0)) is None
