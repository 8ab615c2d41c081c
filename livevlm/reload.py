"""Reload: the streams of a configuration that was changed while the daemon runs, taken in without a new start.

All of it is checked before anything is done: a configuration that cannot be used changes nothing. Streams that clients have
added are left alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass

from livevlm.changes import AddStream, Change, Changed, RemoveStream, Told
from livevlm.config import Config
from livevlm.errors import ConfigError, LiveVLMError, StreamNotFound
from livevlm.watchconfig import StreamConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a new configuration wants otherwise: streams by name, and sections that only a new start takes in."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    sections: tuple[str, ...]

    @classmethod
    def between(cls, old: Config, new: Config) -> Difference:
        """The way from one configuration to another."""
        was, will = old.streams, new.streams
        sections = (name for name in Config.model_fields if name != "streams")
        return cls(
            added=tuple(name for name in will if name not in was),
            changed=tuple(name for name in will if name in was and was[name] != will[name]),
            removed=tuple(name for name in was if name not in will),
            sections=tuple(name for name in sections if getattr(old, name) != getattr(new, name)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What reloading needs of the daemon. `watched`: the names of all streams that there are now. `check`: raises ConfigError
    where a stream cannot be watched under these settings. `change`: as Watchlist.change. `renew`: reads the certificate anew,
    or raises ConfigError.
    """

    watched: Callable[[], Collection[str]]
    check: Callable[[str, StreamConfig], object]
    change: Callable[[Change, Told], None]
    renew: Callable[[], None]


class Reloader:
    """Remembers what is in force. `reload` blocks: it is for a thread that has nothing else to do."""

    def __init__(self, config: Config, load: Callable[[], Config], hands: Hands) -> None:
        """config: what the daemon began with. load: the configuration as it is now; ConfigError where it cannot be used."""
        self._config, self._load, self._hands = config, load, hands
        self._lock = threading.Lock()

    def reload(self) -> bool:
        """Take in the configuration as it is now. False, and nothing changed, where it cannot be used: the log says why."""
        with self._lock:
            try:
                new = self._load()
                found = Difference.between(self._config, new)
                self._check(new, found)
                self._hands.renew()
            except ConfigError as error:
                logger.error(
                    "the configuration was not reloaded, and nothing was changed: %s", error.message
                )
                return False
            if found.sections:
                logger.warning(
                    "reloading: what has changed in [%s] is in force after a new start",
                    "], [".join(found.sections),
                )
            failed = self._apply(new, found)
            # One that could not be added is tried again the next time.
            streams = {name: one for name, one in new.streams.items() if name not in failed}
            self._config = self._config.model_copy(update={"streams": streams})
            logger.info(
                "the configuration was reloaded: %d streams added, %d changed, %d removed, %d failed",
                len(found.added),
                len(found.changed),
                len(found.removed),
                len(failed),
            )
            return True

    def _check(self, new: Config, found: Difference) -> None:
        for name in (*found.added, *found.changed):
            self._hands.check(name, new.streams[name])
        watched = (set(self._hands.watched()) - set(found.removed)) | {*found.added, *found.changed}
        most = self._config.server.max_streams
        if (found.added or found.changed) and len(watched) > most:
            raise ConfigError(
                f"{len(watched)} streams would be watched, and {most} may be: set server.max_streams"
            )

    def _apply(self, new: Config, found: Difference) -> set[str]:
        """Go the way; the names of streams that were not added in the end."""
        for name in (*found.removed, *found.changed):
            try:
                self._made(RemoveStream(name=name, for_now=name in found.changed))
            except StreamNotFound:
                logger.info("stream %s: a client has removed it before", name)
            except LiveVLMError as error:
                logger.error("stream %s: it was not removed: %s", name, error.message)
        failed = set()
        for name in (*found.added, *found.changed):
            try:
                self._made(AddStream(name=name, settings=new.streams[name]))
            except LiveVLMError as error:
                failed.add(name)
                logger.error("stream %s: it was not added: %s", name, error.message)
        return failed

    def _made(self, change: Change) -> Changed:
        future: Future[Changed] = Future()

        def told(result: Changed | LiveVLMError) -> None:
            if isinstance(result, LiveVLMError):
                future.set_exception(result)
            else:
                future.set_result(result)

        self._hands.change(change, told)
        return future.result()
