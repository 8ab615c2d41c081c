"""Watches on the wire: the commands of `watch.*`, what came of them and what watches tell as events, and the way back.

Of a webhook only its host, or the name of a variable, ever goes out again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from livevlm.layers import nearest
from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.naming import choose_stream
from livevlm.service.timespan import duration_s
from livevlm.service.wire import (
    Json,
    JsonObject,
    as_of_json,
    child,
    evidence_json,
    finite,
    posix_seconds,
    read_as_of,
    read_evidence,
    utc_text,
)
from livevlm.watching.orders import (
    Dropped,
    DropWatch,
    Listed,
    ListWatches,
    Made,
    MakeWatch,
    WatchOrder,
    WatchResult,
)
from livevlm.watching.watch import (
    LONGEST_S,
    MAX_CONDITION,
    MAX_NAME,
    MAX_URL,
    MOST_CONFIRM,
    Change,
    Mode,
    Rule,
    Watch,
    WatchEvent,
    WatchRequest,
    WatchStatus,
    Webhook,
)
from livevlm.watching.wording import question_for

T = TypeVar("T")

MAX_ID = 512
ENVELOPE = ("type", "event_id")
FIELDS = (
    "name", "condition", "stream", "mode", "cooldown_s", "confirm_n", "threshold", "expires_s", "for", "webhook",
)  # fmt: skip
WEBHOOK = ("url", "url_env", "secret_env")
TOLD: Mapping[Change, str] = {
    "triggered": "watch.triggered",
    "cleared": "watch.cleared",
    "expired": "watch.expired",
}
CHANGES: Mapping[str, Change] = {kind: change for change, kind in TOLD.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCreate:
    """Watch a stream for a condition; without a stream, the session's or the only one. The wish's own stream is empty."""

    stream: str | None
    wish: WatchRequest


@dataclass(frozen=True, slots=True)
class WatchList:
    """Tell which watches there are."""


@dataclass(frozen=True, slots=True)
class WatchDelete:
    """Watch no longer. watch: an id, or a name."""

    watch: str


WatchCommand = WatchCreate | WatchList | WatchDelete


def read_create(event: Fields) -> WatchCreate:
    """`watch.create`. Raises InvalidRequest that names the field, also for one that is not known: a misspelt threshold would
    else be none.
    """
    _only(event, (*ENVELOPE, *FIELDS))
    usual, webhook = Rule(), None
    mode = event.text("mode")
    cooldown = event.number("cooldown_s", 0, LONGEST_S)
    confirm = event.integer("confirm_n", 1, MOST_CONFIRM)
    threshold = event.number("threshold", 0, 1)
    rule = _checked(
        lambda: Rule(
            mode=usual.mode if mode is None else cast(Mode, mode),
            cooldown_s=_or(cooldown, usual.cooldown_s),
            confirm_n=usual.confirm_n if confirm is None else confirm,
            threshold=_or(threshold, usual.threshold),
        )
    )
    if "webhook" in event:
        webhook = _webhook(event.child("webhook"))
    wish = _checked(
        lambda: WatchRequest(
            stream="",
            condition=event.text("condition", limit=MAX_CONDITION) or "",
            name=event.text("name", limit=MAX_NAME),
            rule=rule,
            lasts_s=_lasts(event),
            webhook=webhook,
        )
    )
    return WatchCreate(stream=event.text("stream", limit=MAX_ID), wish=wish)


def read_delete(event: Fields) -> WatchDelete:
    """`watch.delete`. Raises InvalidRequest."""
    watch = event.text("watch", limit=MAX_ID)
    if not watch:
        raise InvalidRequest(
            "watch: say which one by its id or its name; `watch.list` tells them", param="watch"
        )
    return WatchDelete(watch)


def _webhook(fields: Fields) -> Webhook:
    _only(fields, WEBHOOK)
    # The url is not repeated in an error: it may be a secret.
    url, url_env, secret_env = (fields.text(name, limit=MAX_URL) for name in WEBHOOK)
    return _checked(lambda: Webhook(url=url, url_env=url_env, secret_env=secret_env), "webhook.")


def _lasts(event: Fields) -> float | None:
    """Seconds until it expires: `expires_s`, or `for` as "8h"."""
    span, text = event.number("expires_s", 0, LONGEST_S), event.raw("for")
    if text is None:
        return span
    if span is not None:
        raise InvalidRequest("expires_s and for say the same; give one of them", param="for")
    try:
        return duration_s(text)
    except ValueError as error:
        raise event.invalid("for", 'a duration as "90s", "5m" or "8h"') from error


def _only(fields: Fields, known: tuple[str, ...]) -> None:
    for name in fields.besides(known):
        raise InvalidRequest(
            f"{fields.path(name)} is not known{nearest(name, known)}", param=fields.path(name)
        )


def _checked(make: Callable[[], T], prefix: str = "") -> T:
    """What `make` gives; its ValueError, "field: what is wrong", as an InvalidRequest."""
    try:
        return make()
    except ValueError as error:
        field, _, wrong = str(error).partition(": ")
        raise InvalidRequest(f"{prefix}{field}: {wrong}", param=f"{prefix}{field}") from error


def create_json(request: WatchRequest) -> JsonObject:
    """The fields of a `watch.create`; what is as by default is left out."""
    rule, usual, webhook = request.rule, Rule(), request.webhook
    own = {
        name: getattr(rule, name)
        for name in ("mode", "cooldown_s", "confirm_n", "threshold")
        if getattr(rule, name) != getattr(usual, name)
    }
    hook = (
        None
        if webhook is None
        else {name: value for name in WEBHOOK if (value := getattr(webhook, name)) is not None}
    )
    return {
        "condition": request.condition,
        "stream": request.stream or None,
        "name": request.name,
        "expires_s": request.lasts_s,
        "webhook": cast(Json, hook),
        **own,
    }


def order_from(command: WatchCommand, names: Sequence[str], *, default: str | None) -> WatchOrder:
    """What is asked of the watches, about one of the streams `names`. Raises InvalidRequest where it is not clear which."""
    match command:
        case WatchCreate():
            asked = default if command.stream is None else command.stream
            stream = choose_stream(asked, names, param="stream")
            return MakeWatch(replace(command.wish, stream=stream))
        case WatchList():
            return ListWatches()
        case WatchDelete(watch):
            return DropWatch(watch)


def ordered_json(result: WatchResult) -> tuple[str, JsonObject]:
    """The event that tells what came of a command, by its type and its fields."""
    match result:
        case Made(status):
            return "watch.created", {"watch": status_json(status)}
        case Listed(statuses):
            return "watch.listed", {"watches": [status_json(status) for status in statuses]}
        case Dropped(status):
            return "watch.deleted", {"watch": status_json(status)}


def status_json(status: WatchStatus) -> JsonObject:
    """A watch and how it is."""
    return {
        **watch_json(status.watch),
        "webhook": status.webhook,
        "state": status.state,
        "probability": finite(status.probability),
        "evaluations": status.evaluations,
        "skipped": status.skipped,
        "triggers": status.triggers,
        "triggered_utc": utc_text(status.triggered_utc),
    }


def watch_json(watch: Watch) -> JsonObject:
    """A watch as it was made. question: what the model is asked."""
    request, rule = watch.request, watch.rule
    return {
        "id": watch.id,
        "name": request.name,
        "condition": request.condition,
        "question": question_for(request.condition),
        "stream": request.stream,
        "mode": rule.mode,
        "cooldown_s": rule.cooldown_s,
        "confirm_n": rule.confirm_n,
        "threshold": rule.threshold,
        "created_utc": utc_text(watch.created_utc),
        "expires_utc": utc_text(watch.expires_utc),
    }


def told_json(event: WatchEvent) -> tuple[str, JsonObject]:
    """The event that tells what a watch has found, by its type and its fields; a webhook is posted the same."""
    evidence = None if event.evidence is None else evidence_json(event.evidence)
    return TOLD[event.change], {
        "watch": watch_json(event.watch),
        "at": as_of_json(event.at),
        "probability": finite(event.probability),
        "evidence": evidence,
        "thumbnail": None if evidence is None else evidence["thumbnail"],
    }


def read_status(value: JsonObject) -> WatchStatus:
    """The reverse of `status_json`, but for the webhook, of which only what is shown is known."""
    probability, webhook = value.get("probability"), value.get("webhook")
    return WatchStatus(
        watch=read_watch(value),
        state=str(value.get("state", "")),
        probability=_number(probability),
        evaluations=int(_number(value.get("evaluations")) or 0),
        skipped=int(_number(value.get("skipped")) or 0),
        triggers=int(_number(value.get("triggers")) or 0),
        triggered_utc=_moment(value.get("triggered_utc")),
        webhook=None if webhook is None else str(webhook),
    )


def read_statuses(event: JsonObject) -> tuple[WatchStatus, ...]:
    """The watches of a `watch.listed`."""
    found = event.get("watches")
    listed = found if isinstance(found, list) else []
    return tuple(read_status(one) for one in listed if isinstance(one, dict))


def read_watch(value: JsonObject) -> Watch:
    """The reverse of `watch_json`. Raises ValueError where it is none."""
    usual, name, expires = Rule(), value.get("name"), _moment(value.get("expires_utc"))
    rule = Rule(
        mode=cast(Mode, value.get("mode", usual.mode)),
        cooldown_s=_or(_number(value.get("cooldown_s")), usual.cooldown_s),
        confirm_n=int(_or(_number(value.get("confirm_n")), usual.confirm_n)),
        threshold=_or(_number(value.get("threshold")), usual.threshold),
    )
    request = WatchRequest(
        stream=str(value.get("stream", "")),
        condition=str(value.get("condition", "")),
        name=None if name is None else str(name),
        rule=rule,
    )
    return Watch(
        id=str(value.get("id", "")),
        request=request,
        created_utc=_or(_moment(value.get("created_utc")), 0.0),
        expires_utc=_or(expires, math.inf),
    )


def read_told(event: JsonObject) -> WatchEvent | None:
    """The reverse of `told_json`; None where the event is none that a watch tells. Raises ValueError where it is broken."""
    change = CHANGES.get(str(event.get("type")))
    if change is None:
        return None
    spans = read_evidence([child(event, "evidence")]) if event.get("evidence") else ()
    return WatchEvent(
        change=change,
        watch=read_watch(child(event, "watch")),
        at=read_as_of(event.get("at")),
        probability=_number(event.get("probability")),
        evidence=spans[0] if spans else None,
    )


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _moment(value: Json) -> float | None:
    return posix_seconds(value) if isinstance(value, str) else None


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value
