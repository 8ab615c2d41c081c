"""A changed configuration, taken in by a daemon that is played here."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from livevlm.changes import AddStream, Change, Changed, RemoveStream, Told
from livevlm.config import Config
from livevlm.errors import ConfigError, StreamExists, StreamNotFound
from livevlm.reload import Difference, Hands, Reloader
from livevlm.watchconfig import StreamConfig


def configuration(most: int = 4, budget: int = 0, **urls: str) -> Config:
    """Streams by name and address."""
    streams = {name: {"url": url} for name, url in urls.items()}
    sections = {"server": {"max_streams": most}, "memory": {"budget_tokens": budget}}
    return Config.model_validate({**sections, "streams": streams})


class Played:
    """A daemon's streams, and the configuration that is on disk."""

    def __init__(self, config: Config) -> None:
        self.disk: Config | str = config
        self.streams = {name: one.url for name, one in config.streams.items()}
        self.done: list[str] = []
        self.for_now: list[str] = []
        self.renew: Callable[[], None] = lambda: self.done.append("renew")
        hands = Hands(
            watched=lambda: self.streams, check=_check, change=self._change, renew=self._renew
        )
        self.reloader = Reloader(config, self._load, hands)

    def _load(self) -> Config:
        if isinstance(self.disk, str):
            raise ConfigError(self.disk)
        return self.disk

    def _renew(self) -> None:
        self.renew()

    def _change(self, change: Change, told: Told) -> None:
        match change:
            case AddStream(name=name) if name in self.streams:
                told(StreamExists(f"there is {name} already"))
            case AddStream(name=name):
                self.done.append(f"+{name}")
                self.streams[name] = change.settings.url
                told(Changed(what="added", name=name, status=None))
            case RemoveStream(name=name, forget=False, for_now=for_now) if name in self.streams:
                self.for_now += [name] * for_now
                self.done.append(f"-{name}")
                del self.streams[name]
                told(Changed(what="removed", name=name, status=None))
            case _:
                told(StreamNotFound("there is none"))

    def reload(self, disk: Config | str) -> list[str]:
        """Reload; what was done, in order."""
        self.disk, self.done = disk, []
        self.reloader.reload()
        return self.done


def _check(name: str, settings: StreamConfig) -> None:
    if settings.url.startswith("gopher"):
        raise ConfigError(f"streams.{name}: no such scheme")


def test_streams_come_go_and_change() -> None:
    """Only those that differ are touched; memories are never erased; a client's own stream stays."""
    played = Played(configuration(a="1", b="2", c="3"))
    played.streams["guest"] = "9"
    new = configuration(a="1", b="22", d="4")
    assert played.reload(new) == ["renew", "-c", "-b", "+d", "+b"]
    assert played.streams == {"a": "1", "b": "22", "d": "4", "guest": "9"}
    assert played.reload(new) == ["renew"]
    assert played.reload(configuration(a="1")) == ["renew", "-b", "-d"]
    assert played.for_now == ["b"], "one that changes is gone on with, one that goes is not"


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ("file my.toml: not TOML", "not TOML"),
        (configuration(a="1", z="0", b="gopher:"), "streams.b: no such scheme"),
        (configuration(a="1", z="0", y="0", x="0", w="0"), "6 streams would be watched, and 4"),
    ],
)
def test_what_cannot_be_used_changes_nothing(
    disk: Config | str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even the part before the mistake; the reason is logged; the next good one is taken in."""
    played = Played(configuration(a="1", c="3"))
    played.streams["guest"] = "9"
    assert played.reload(disk) == []
    assert played.streams == {"a": "1", "c": "3", "guest": "9"}
    assert said in caplog.text
    assert "nothing was changed" in caplog.text
    assert played.reload(configuration(a="1")) == ["renew", "-c"]


def test_a_certificate_that_cannot_be_used_changes_nothing() -> None:
    """Checked before the streams are touched."""

    def renew() -> None:
        raise ConfigError("server.tls_key: is not the key")

    played = Played(configuration(a="1"))
    played.renew = renew
    assert played.reload(configuration(b="2")) == []
    assert played.streams == {"a": "1"}


def test_what_clients_did_meanwhile_is_no_hindrance(caplog: pytest.LogCaptureFixture) -> None:
    """A stream they removed is gone already, or comes back with its change; a name they took is theirs until it is free."""
    played = Played(configuration(a="1", b="2"))
    played.streams = {"d": "guest"}
    with caplog.at_level(logging.INFO):
        assert played.reload(configuration(b="22", d="4")) == ["renew", "+b"]
    assert played.streams == {"d": "guest", "b": "22"}
    assert "stream d: it was not added: there is d already" in caplog.text
    del played.streams["d"]
    assert played.reload(configuration(b="22", d="4")) == ["renew", "+d"]


def test_other_sections_wait_for_a_new_start(caplog: pytest.LogCaptureFixture) -> None:
    """What is not taken in is told, each time."""
    old, new = configuration(a="1"), configuration(budget=99, a="1")
    assert Difference.between(old, new).sections == ("memory",)
    played = Played(old)
    for _ in range(2):
        caplog.clear()
        played.reload(new)
        assert "[memory] is in force after a new start" in caplog.text
