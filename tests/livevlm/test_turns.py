"""The line of those who wait: its rule, against counting by hand and against whatever order people come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livevlm.turns import Turns

Coming = tuple[str, str]  # an asker and a stream
NAMES = st.sampled_from("abcd")
# At each step of time one comes (an asker about a stream), or the next has its turn (None).
HAPPENING = st.lists(st.none() | st.tuples(NAMES, NAMES), max_size=60)


def line(*coming: Coming) -> Turns[int]:
    """Those in line; each is the number of its coming."""
    turns = Turns[int]()
    for number, (asker, stream) in enumerate(coming):
        turns.add(number, asker=asker, stream=stream)
    return turns


def test_who_is_alone_is_served_in_order() -> None:
    """One asker, one stream: first come, first served."""
    assert line(*[("ann", "front")] * 5).order() == [0, 1, 2, 3, 4]


def test_an_asker_with_many_does_not_delay_anothers_first() -> None:
    """Sixty questions of one client, then one of another about the same stream: one goes before it, not sixty."""
    assert line(*[("ann", "front")] * 60, ("ben", "front")).order().index(60) == 1


def test_a_busy_stream_does_not_delay_the_first_question_about_another() -> None:
    """Sixty clients ask about one stream, then one about another."""
    crowd = [(f"asker{number}", "front") for number in range(60)]
    assert line(*crowd, ("zoe", "back")).order().index(60) <= 3


def test_neither_do_many_questions_about_many_streams() -> None:
    """Fairness between streams is no loophole in that between askers: one client asks about each of sixty streams."""
    many = [("ann", f"stream{number}") for number in range(60)]
    assert line(*many, ("ben", "front")).order().index(60) <= 3


def test_askers_share_equally() -> None:
    """Three clients with ten questions each about one stream: after any number of turns none is more than two ahead."""
    turns = line(*[(asker, "front") for asker in ("ann", "ben", "cleo") for _ in range(10)])
    served = [0, 0, 0]
    for _ in range(24):
        served[turns.take()[0] // 10] += 1
        assert max(served) - min(served) <= 2


def test_who_is_not_wanted_any_more_leaves_the_line() -> None:
    """The others stand as before; who comes back comes as new."""
    turns = line(("ann", "front"), ("ben", "front"), ("ann", "back"), ("cleo", "front"))
    assert turns.drop(lambda number: number % 2 == 0) == [0, 2]
    turns.add(4, asker="ann", stream="back")
    assert turns.order() == [1, 4, 3]
    assert len(turns) == 3


class Naive:
    """The rule as it is said, without regard to time: who was served stands last among askers and among streams."""

    def __init__(self) -> None:
        self.line: list[tuple[int, str, str]] = []
        self.askers: list[str] = []
        self.streams: list[str] = []
        self.by_stream = False

    def add(self, number: int, asker: str, stream: str) -> None:
        """One more in the line."""
        self.line.append((number, asker, stream))
        self.askers += [asker] * (asker not in self.askers)
        self.streams += [stream] * (stream not in self.streams)

    def take(self) -> int:
        """The one whose turn it is."""
        if self.by_stream:
            about = [one for one in self.line if one[2] == self.streams[0]]
            taken = min(about, key=lambda one: self.askers.index(one[1]))
        else:
            taken = next(one for one in self.line if one[1] == self.askers[0])
        self.by_stream = not self.by_stream
        self.line.remove(taken)
        for names, place in ((self.askers, 1), (self.streams, 2)):
            names.remove(taken[place])
            names += [taken[place]] * any(one[place] == taken[place] for one in self.line)
        return taken[0]


@given(HAPPENING)
def test_turns_come_as_by_the_plain_rule(happening: list[Coming | None]) -> None:
    """The same are taken, one by one or several at once, as by lists that are looked through from end to end."""
    turns, naive = Turns[int](), Naive()
    for number, one in enumerate(happening):
        if one is not None:
            turns.add(number, asker=one[0], stream=one[1])
            naive.add(number, *one)
        else:
            count = min(number % 3 + 1, len(turns))
            assert turns.take(number % 3 + 1) == [naive.take() for _ in range(count)]
    assert turns.order() == [naive.take() for _ in range(len(turns))]


@given(HAPPENING)
def test_everybody_is_served_once_and_the_order_is_told_right(
    happening: list[Coming | None],
) -> None:
    """Nobody is lost or served twice, an asker's questions about a stream keep their order, and `order` is what happens."""
    turns, came, served = Turns[int](), list[Coming](), list[int]()
    for one in happening:
        if one is not None:
            turns.add(len(came), asker=one[0], stream=one[1])
            came.append(one)
        elif len(turns):
            served.append(turns.take()[0])
    ahead = turns.order()
    served += [turns.take()[0] for _ in range(len(turns))]
    assert served[len(served) - len(ahead) :] == ahead
    assert sorted(served) == list(range(len(came)))
    for pair in set(came):
        own = [number for number in served if came[number] == pair]
        assert own == sorted(own)


@given(HAPPENING, NAMES, HAPPENING)
def test_nobody_who_comes_later_can_put_a_first_question_off(
    before: list[Coming | None], stream: str, after: list[Coming | None]
) -> None:
    """With so many askers in line a newcomer is served within twice as many turns, with so many streams a question about a new
    one within twice as many, whoever comes meanwhile.
    """
    came = [one for one in before if one is not None]
    turns = line(*came, ("new", stream), ("other", "new"))
    askers, streams = (
        len({asker for asker, _ in came}) + 2,
        len({about for _, about in came} | {stream}) + 1,
    )
    asker_first, stream_first, taken = len(came), len(came) + 1, list[int]()
    for number, one in enumerate(after * 3, len(came) + 2):
        if one is None:
            one = ("late", "late")
        turns.add(number, asker=one[0], stream=one[1])
        taken.append(turns.take()[0])
    taken += [turns.take()[0] for _ in range(len(turns))]
    assert taken.index(asker_first) < 2 * askers
    assert taken.index(stream_first) < 2 * streams
