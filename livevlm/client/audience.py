"""Audience: those in this client who listen to what the daemon tells by itself, and what must be renewed in a new session."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from livevlm.client.feed import Feed
from livevlm.errors import LiveVLMError, WatchNotFound
from livevlm.service.commands import TOPICS
from livevlm.service.wire import Json, JsonObject, child

MOST_WAITING = 1024  # events of a topic or of a watch that nobody has read yet

Renewal = tuple[str, JsonObject, Callable[[JsonObject | LiveVLMError], None]]


class Audience:
    """The feeds that events go to. Without a connection, a socket or a task."""

    def __init__(self) -> None:
        self.topics: tuple[str, ...] = ()
        self._pushed: dict[str, Feed[JsonObject]] = {t: Feed(MOST_WAITING) for t in TOPICS}
        self._own: set[str] = set()
        self._followed: dict[str, Feed[JsonObject]] = {}
        self._renewed = False

    def pushed(self, topic: str) -> Feed[JsonObject]:
        """What comes under a topic."""
        return self._pushed[topic]

    def follow(self, watch_id: str, feed: Feed[JsonObject]) -> None:
        """Have a feed get all that a watch tells, its deletion included."""
        self._followed[watch_id] = feed

    def leave(self, watch_id: str) -> None:
        """Tell the feed of a watch nothing more."""
        self._followed.pop(watch_id, None)

    def note(self, event: JsonObject) -> None:
        """An answer to this client: which watches are its own follows from that."""
        watch_id = str(child(event, "watch").get("id"))
        if event.get("type") == "watch.created":
            self._own.add(watch_id)
        elif event.get("type") == "watch.deleted":
            self._own.discard(watch_id)
            if watch_id in self._followed:
                self._followed.pop(watch_id).close()

    def hear(self, kind: str, event: JsonObject) -> None:
        """What the daemon tells without being asked; what nobody listens to is dropped."""
        topic = kind.partition(".")[0]
        if topic == "watch":
            watch_id = str(child(event, "watch").get("id"))
            if watch_id in self._followed:
                self._followed[watch_id].put(event)
            if "watch" not in self.topics and watch_id not in self._own:
                return  # subscribed to only for the sake of own watches
        if topic in self._pushed:
            self._pushed[topic].put(event)

    def renewals(self) -> list[Renewal]:
        """What a new session must be asked for, so that this client hears what it heard in the one before.

        A session hears of the watches that it made, and this one has made none: it must hear of all.
        """
        self._renewed = self._renewed or bool(self._own)
        topics = self.needed(self.topics)
        renewals: list[Renewal] = []
        if topics:
            renewals.append(("subscribe", {"topics": topics}, _ignored))
        if self._followed:
            renewals.append(("watch.list", {}, self._compare))
        return renewals

    def needed(self, topics: Iterable[str]) -> list[Json]:
        """What the session must be subscribed to, so that these topics are heard, and watches that were made before it."""
        return [*sorted({*topics, "watch"} if self._renewed else {*topics})]

    def close(self, error: LiveVLMError) -> None:
        """Nothing more will be told."""
        for feed in (*self._pushed.values(), *self._followed.values()):
            feed.close(error)

    def _compare(self, result: JsonObject | LiveVLMError) -> None:
        """The daemon's watches, after something of them may have been missed: those that are over are told to be."""
        if isinstance(result, LiveVLMError):
            return
        found = result.get("watches")
        listed = found if isinstance(found, list) else []
        watches = {str(one.get("id")): one for one in listed if isinstance(one, dict)}
        for watch_id, feed in list(self._followed.items()):
            watch = watches.get(watch_id)
            if watch is None:
                del self._followed[watch_id]
                feed.close(WatchNotFound(f"the daemon has no watch {watch_id} any more"))
            elif watch.get("state") == "done":
                feed.put(_nothing_seen("watch.triggered", watch))
            elif watch.get("state") == "expired":
                feed.put(_nothing_seen("watch.expired", watch))


def _nothing_seen(kind: str, watch: JsonObject) -> JsonObject:
    """What a watch told while nobody heard it, as far as it is known."""
    return {
        "type": kind,
        "watch": watch,
        "at": None,
        "probability": watch.get("probability"),
        "evidence": None,
    }


def _ignored(_: JsonObject | LiveVLMError) -> None:
    """It was asked for nobody."""
