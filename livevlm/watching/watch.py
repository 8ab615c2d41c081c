"""Watch: what somebody wants to be told, and what is told. Types that check themselves; nothing here looks at a video."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from livevlm.messages import AsOf, Evidence

Mode = Literal["once", "repeat"]
Change = Literal["triggered", "cleared", "expired"]
MODES: tuple[Mode, ...] = ("once", "repeat")
DAY_S = 86_400.0
LONGEST_S = 366 * DAY_S
MOST_CONFIRM = 100
MAX_CONDITION = 500
MAX_NAME = 100
MAX_URL = 2048
# Clients name variables of the daemon's environment, so only those that were put there for this may be named. A double
# underscore would make the variable a setting.
VARIABLE = re.compile(r"LIVEVLM_WEBHOOK_(?!.*__)[A-Z0-9][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where changes are posted to: `url`, or what the environment variable `url_env` holds. secret_env: the variable that holds
    the key that posts are signed with.

    Raises ValueError with the field's name in front where it can be none.
    """

    url: str | None = None
    url_env: str | None = None
    secret_env: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("url: give exactly one of url and url_env")
        for field in ("url_env", "secret_env"):
            name = getattr(self, field)
            if name is not None and not VARIABLE.fullmatch(name):
                raise ValueError(
                    f"{field}: must name a variable of the daemon's environment as LIVEVLM_WEBHOOK_DOOR"
                )
        if self.url is not None:
            check_url(self.url)

    @property
    def shown(self) -> str:
        """What may be shown: the address without path and parameters, which may be a secret, or the variable."""
        return f"${self.url_env}" if self.url is None else host_of(self.url)


def check_url(url: str) -> None:
    """Raises ValueError where nothing could be posted there, or a password stands in it."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not named or len(url) > MAX_URL:
        raise ValueError("url: must be http:// or https:// with a host")
    if any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        raise ValueError("url: must hold no spaces and no control characters")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: must hold no password; put the whole url into a variable: url_env")


def host_of(url: str) -> str:
    """Scheme, host and port of a url that was checked."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a watch tells something. Probabilities from `threshold` on are a yes; `confirm_n` in a row are believed.

    cooldown_s: the least time between two triggers, seconds. once: the first trigger is the last.
    """

    mode: Mode = "repeat"
    cooldown_s: float = 60.0
    confirm_n: int = 1
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError('mode: must be "once" or "repeat"')
        if not 0 <= self.cooldown_s <= LONGEST_S:
            raise ValueError("cooldown_s: must be from 0 seconds to a year")
        if not 1 <= self.confirm_n <= MOST_CONFIRM:
            raise ValueError(f"confirm_n: must be from 1 to {MOST_CONFIRM}")
        if not 0 < self.threshold < 1:
            raise ValueError("threshold: must be above 0 and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """A watch that somebody wants. lasts_s: seconds until it expires; None: never.

    Raises ValueError with the field's name in front where it can be none.
    """

    stream: str
    condition: str
    name: str | None = None
    rule: Rule = Rule()
    lasts_s: float | None = None
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        if not self.condition.strip():
            raise ValueError("condition: say what is to be watched for")
        if len(self.condition) > MAX_CONDITION:
            raise ValueError(f"condition: must have at most {MAX_CONDITION} characters")
        if self.name is not None and not 0 < len(self.name.strip()) <= MAX_NAME:
            raise ValueError(f"name: must have 1 to {MAX_NAME} characters")
        if self.lasts_s is not None and not 0 < self.lasts_s <= LONGEST_S:
            raise ValueError("expires_s: must be above 0 seconds and at most a year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A watch as it is kept. Times are POSIX seconds; one that does not expire has infinity."""

    id: str
    request: WatchRequest
    created_utc: float
    expires_utc: float = math.inf

    @property
    def stream(self) -> str:
        """What it looks at."""
        return self.request.stream

    @property
    def rule(self) -> Rule:
        """When it tells something."""
        return self.request.rule


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """A watch at one moment. state: see `livevlm.watching.life`. probability: of the latest evaluation. webhook: what of its
    webhook may be shown.

    evaluations, skipped: since the daemon started. triggered_utc: the latest trigger, as its frame arrived, POSIX seconds.
    """

    watch: Watch
    state: str
    probability: float | None = None
    evaluations: int = 0
    skipped: int = 0
    triggers: int = 0
    triggered_utc: float | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """What a watch tells: it was triggered, cleared (what it had told is no longer so), or has expired.

    at: the newest frame then; None where it expired without any. evidence: that frame. probability: None where it expired.
    """

    change: Change
    watch: Watch
    at: AsOf | None = None
    probability: float | None = None
    evidence: Evidence | None = None
