"""Webhooks: what watches tell is posted to a url, signed, and again where it fails.

Signed after the Standard Webhooks specification (standardwebhooks.com), so that its libraries verify it: `webhook-id`,
`webhook-timestamp`, and `webhook-signature: v1,BASE64` with BASE64 the HMAC-SHA256 of "id.timestamp.body". The id stays the
same when a post is tried again. Nothing is followed to another address, and no url is ever logged beyond its host.

One thread posts everything, one post at a time. A receiver that fails is tried again later, others meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
import hmac
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry, Timeout

from livevlm.errors import SettingError
from livevlm.watching.watch import Webhook, check_url, host_of

logger = logging.getLogger(__name__)

PREFIX = "whsec_"
MOST_WAITING = 256
LONGEST_WAIT_S = 600.0  # however long a receiver asks us to wait
CLOSE_S = 1.0
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT = Timeout(connect=5.0, read=10.0)
# Seven tries within about two minutes, then it is given up.
RETRY = Retry(
    total=6,
    allowed_methods=None,
    status_forcelist=TRY_AGAIN,
    backoff_factor=1.0,
    backoff_jitter=1.0,
    backoff_max=60.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A webhook with what the environment holds for it; not to be shown. key: None is unsigned."""

    url: str = field(repr=False)
    key: bytes | None = field(repr=False)


def target_of(webhook: Webhook, environ: Mapping[str, str]) -> Target:
    """Where to post, and with which key. Raises SettingError where a variable is not set, or holds nothing that can be used."""
    field = "url" if webhook.url_env is None else "url_env"
    url = webhook.url if webhook.url_env is None else _variable(field, webhook.url_env, environ)
    assert url is not None
    try:
        check_url(url)
    except ValueError as error:
        raise _wrong(field, f"{webhook.url_env or 'it'}: {error}") from error
    if webhook.secret_env is None:
        return Target(url=url, key=None)
    secret = _variable("secret_env", webhook.secret_env, environ)
    if not secret.startswith(PREFIX):
        return Target(url=url, key=secret.encode())
    try:
        return Target(url=url, key=base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except binascii.Error as error:
        why = f"{webhook.secret_env} begins with {PREFIX}, but no base64 follows"
        raise _wrong("secret_env", why) from error


def _variable(field: str, name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise _wrong(
            field,
            f"the variable {name} is not set in the daemon's environment; set it and start the daemon again",
        )
    return environ[name]


def _wrong(field: str, why: str) -> SettingError:
    return SettingError(f"webhook.{field}: {why}", param=f"webhook.{field}")


def signature(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`; timestamp: POSIX seconds."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    id: str
    target: Target
    body: bytes
    retry: Retry


class Courier:
    """Posts from its `start` to its `close`, which lets what is under way end, for a moment, and drops the rest."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        done: Callable[[bool], None],
        retry: Retry = RETRY,
        timeout: Timeout = TIMEOUT,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """done: called with True for every post that was taken, with False for every one that is given up."""
        self._environ, self._done = environ, done
        self._retry, self._timeout, self._utc = retry, timeout, utc
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, _Post]] = []
        self._numbers = itertools.count()
        self._ending = False
        self._pool = urllib3.PoolManager(num_pools=16)
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def close(self) -> None:
        """Post no more."""
        with self._changed:
            self._ending = True
            left = len(self._waiting)
            self._changed.notify()
        if left:
            logger.warning("%d webhook posts were not delivered before the end", left)
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def check(self, webhook: Webhook) -> None:
        """Raises SettingError where the webhook names a variable that is not set, or holds nothing that can be used."""
        target_of(webhook, self._environ)

    def post(self, webhook: Webhook, body: bytes) -> None:
        """Have JSON posted; from any thread, and never waits. Where too many wait already, it is dropped, and failed."""
        try:
            target = target_of(webhook, self._environ)
        except SettingError as error:
            self._give_up(webhook.shown, error.message)
            return
        post = _Post(id=f"msg_{uuid.uuid4().hex}", target=target, body=body, retry=self._retry)
        with self._changed:
            full = len(self._waiting) >= MOST_WAITING
            if not full:
                self._put(post, 0.0)
        if full:
            self._give_up(webhook.shown, f"{MOST_WAITING} posts wait already")

    def _put(self, post: _Post, after_s: float) -> None:
        due = time.monotonic() + after_s
        heapq.heappush(self._waiting, (due, next(self._numbers), post))
        self._changed.notify()

    def _work(self) -> None:
        while (post := self._next()) is not None:
            self._try(post)
        self._pool.clear()

    def _next(self) -> _Post | None:
        """Wait for the next that is due; None at the end."""
        with self._changed:
            while not self._ending:
                if not self._waiting:
                    self._changed.wait()
                    continue
                left = self._waiting[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
        return None

    def _try(self, post: _Post) -> None:
        url, response, error = post.target.url, None, None
        try:
            response = self._pool.request(
                "POST",
                url,
                body=post.body,
                headers=self._headers(post),
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            response.close()  # what it says beyond its status does not matter
        except HTTPError as failure:
            error = failure
        if response is not None and 200 <= response.status < 300:
            self._done(True)
        elif response is not None and not post.retry.is_retry("POST", response.status):
            self._give_up(host_of(url), f"it answered {response.status}")
        else:
            self._again(post, response, error)

    def _again(
        self, post: _Post, response: urllib3.BaseHTTPResponse | None, error: HTTPError | None
    ) -> None:
        why = type(error).__name__ if response is None else f"it answered {response.status}"
        try:
            # The url takes no part: it would be in the error.
            retry = post.retry.increment("POST", "", response=response, error=error)
        except MaxRetryError:
            self._give_up(host_of(post.target.url), f"{why}, {len(post.retry.history) + 1} times")
            return
        wait = None if response is None else retry.get_retry_after(response)
        wait = min(wait or retry.get_backoff_time(), LONGEST_WAIT_S)
        with self._changed:
            self._put(replace(post, retry=retry), wait)

    def _headers(self, post: _Post) -> dict[str, str]:
        now = int(self._utc())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "livevlm",
            "webhook-id": post.id,
            "webhook-timestamp": str(now),
        }
        if post.target.key is not None:
            headers["webhook-signature"] = signature(post.target.key, post.id, now, post.body)
        return headers

    def _give_up(self, where: str, why: str) -> None:
        logger.warning("a webhook post to %s was given up: %s", where, why)
        self._done(False)
