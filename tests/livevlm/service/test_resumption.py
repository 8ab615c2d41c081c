"""Which session may be resumed, by whom and until when; time passes when the test says so."""

from __future__ import annotations

import itertools

import pytest

from livevlm.service.resumption import NotResumable, Resumption, random_token


class Desk:
    """A resumption of sessions that are names here, with counted tokens and a clock that is set by hand."""

    def __init__(self, *, for_s: float = 60.0, most: int = 2) -> None:
        self.now_s = 1000.0
        numbers = itertools.count(1)
        self.resumption: Resumption[str] = Resumption(
            for_s=for_s,
            most=most,
            clock=lambda: self.now_s,
            new_token=lambda: f"token {next(numbers)}",
        )

    def admit(self, name: str, caller: str = "") -> str:
        """A client has come; its token."""
        ticket = self.resumption.admit(name, caller)
        assert ticket is not None
        return ticket.token

    def refused(self, token: str, caller: str = "") -> bool:
        """Whether nothing can be resumed with a token."""
        try:
            self.resumption.find(token, caller)
        except NotResumable:
            return True
        return False


def test_a_token_leads_to_its_session_whether_the_loss_was_noticed_or_not() -> None:
    """A half-open connection seems to be there: its session must be resumed all the same."""
    desk = Desk()
    first, second = desk.admit("first"), desk.admit("second")
    assert desk.resumption.find(first, "") == "first"
    assert desk.resumption.lose("second") == []
    assert desk.resumption.find(second, "") == "second"
    assert desk.resumption.away == 1


def test_a_session_waits_for_so_long_and_no_longer() -> None:
    """From the loss of its connection on; while its client is there no time runs."""
    desk = Desk(for_s=60)
    token = desk.admit("mine")
    desk.now_s += 10_000
    assert desk.resumption.expired() == []
    desk.resumption.lose("mine")
    desk.now_s += 59.9
    assert not desk.refused(token)
    desk.now_s += 0.1
    assert desk.refused(token)
    assert desk.resumption.expired() == ["mine"]
    assert desk.resumption.expired() == []


def test_who_came_back_is_not_waited_for_any_more() -> None:
    """The time that a client was away before does not count against it."""
    desk = Desk(for_s=60)
    token = desk.admit("mine")
    desk.resumption.lose("mine")
    desk.now_s += 59
    ticket = desk.resumption.renew(token, "")
    desk.now_s += 59
    assert desk.resumption.expired() == []
    assert (desk.resumption.away, ticket.for_s) == (0, 60)
    assert desk.resumption.find(ticket.token, "") == "mine"


def test_a_token_is_spent_when_the_client_has_spoken_with_what_it_got_for_it() -> None:
    """A cut while a session is being resumed leaves the client with its old token: that must still do. Later it must not."""
    desk = Desk()
    first = desk.admit("mine")
    second = desk.resumption.renew(first, "").token
    third = desk.resumption.renew(first, "").token  # it never heard of the second
    assert desk.refused(second)
    desk.resumption.spoken("mine")
    assert desk.refused(first)
    assert desk.resumption.find(third, "") == "mine"


def test_the_oldest_go_when_too_many_are_away() -> None:
    """Kept sessions cost memory: their number is bounded, and it is the time of the loss that counts."""
    desk = Desk(most=2)
    tokens = {name: desk.admit(name) for name in ("a", "b", "c", "d")}
    assert desk.resumption.lose("c") == []
    assert desk.resumption.lose("a") == []
    assert desk.resumption.lose("b") == ["c"]
    assert desk.refused(tokens["c"])
    assert desk.resumption.find(tokens["d"], "") == "d"
    assert desk.resumption.away == 2


def test_another_caller_gets_nothing_for_a_token() -> None:
    """A token that was stolen by a web page is worth nothing to another page."""
    desk = Desk()
    token = desk.admit("mine", "https://a.example")
    assert desk.refused(token, "https://b.example")
    assert desk.refused(token, "")
    assert not desk.refused(token, "https://a.example")


def test_a_wrong_token_is_refused_with_the_way_out() -> None:
    """The message says what to do, and does not repeat the token."""
    desk = Desk()
    desk.admit("mine")
    with pytest.raises(NotResumable, match="go on with it") as refused:
        desk.resumption.find("token 7 ä", "")
    assert "token 7" not in refused.value.message
    assert refused.value.code == "session_not_resumable"


@pytest.mark.parametrize(("for_s", "most"), [(0.0, 2), (60.0, 0)])
def test_nothing_is_kept_where_the_settings_say_so(for_s: float, most: int) -> None:
    """No token is told then, and a lost connection is the session's end."""
    desk = Desk(for_s=for_s, most=most)
    assert desk.resumption.admit("mine", "") is None
    assert desk.resumption.lose("mine") == ["mine"]


def test_when_the_daemon_stops_nobody_is_waited_for() -> None:
    """Those whose clients are away end at once, and those that lose theirs now do too."""
    desk = Desk()
    token = desk.admit("here")
    desk.admit("away")
    desk.resumption.lose("away")
    assert desk.resumption.end() == ["away"]
    assert desk.refused(token)
    assert desk.resumption.lose("here") == ["here"]
    assert desk.resumption.admit("late", "") is None


def test_a_session_that_is_over_is_forgotten() -> None:
    """Its token leads nowhere."""
    desk = Desk()
    token = desk.admit("mine")
    desk.resumption.forget("mine")
    assert desk.refused(token)


def test_tokens_cannot_be_guessed() -> None:
    """256 bits, another one every time."""
    assert len({random_token() for _ in range(100)}) == 100
    assert len(random_token()) >= 43
