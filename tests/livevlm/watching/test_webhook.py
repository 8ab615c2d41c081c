"""Webhooks, posted to a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import queue
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from urllib3.util import Retry, Timeout

from livevlm.errors import ConfigError
from livevlm.watching import webhook as webhook_module
from livevlm.watching.watch import Webhook
from livevlm.watching.webhook import RETRY, Courier, signature, target_of
from tests.livevlm.watching.hook_server import LONG_S, receiving

AT_ONCE = Retry(
    total=2, allowed_methods=None, status_forcelist=RETRY.status_forcelist, backoff_factor=0
)
KEY = b"a key that nobody knows"
ENVIRON = {
    "LIVEVLM_WEBHOOK_KEY": "whsec_" + base64.b64encode(KEY).decode(),
    "LIVEVLM_WEBHOOK_PLAIN": "just text",
    "LIVEVLM_WEBHOOK_BROKEN": "whsec_!",
    "LIVEVLM_WEBHOOK_FTP": "ftp://hooks.test/secret",
}


class Posted:
    """A courier and what became of its posts: True for each that was taken, False for each that was given up."""

    def __init__(self, courier: Courier, ends: queue.Queue[bool]) -> None:
        self.courier, self._ends = courier, ends

    def post(self, url: str, body: bytes = b"{}", **more: str) -> None:
        """Have something posted."""
        self.courier.post(Webhook(url=url, **more), body)

    def end(self) -> bool:
        """What became of the next post that came to an end."""
        return self._ends.get(timeout=LONG_S)


@contextmanager
def posting(environ: dict[str, str] | None = None) -> Iterator[Posted]:
    """A courier that tries three times, at once."""
    ends: queue.Queue[bool] = queue.Queue()
    courier = Courier(
        environ=ENVIRON if environ is None else environ,
        done=ends.put,
        retry=AT_ONCE,
        timeout=Timeout(connect=LONG_S, read=LONG_S),
        utc=lambda: 1_700_000_000.5,
    )
    courier.start()
    yield Posted(courier, ends)
    courier.close()


def test_a_post_is_json_and_signed() -> None:
    """The receiver can tell that it is from us, what it is, and that it is not an old one."""
    body = '{"type":"watch.triggered","condition":"größer"}'.encode()
    with receiving() as server, posting() as posted:
        posted.post(server.url("/hook?a=1"), body, secret_env="LIVEVLM_WEBHOOK_KEY")
        got = server.next()
        assert posted.end()
    assert (got.path, got.body) == ("/hook?a=1", body)
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-timestamp"] == "1700000000"
    signed = b".".join([got.headers["webhook-id"].encode(), b"1700000000", body])
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{wanted}"


def test_the_signature_is_that_of_the_specification() -> None:
    """Standard Webhooks gives this example, so that its libraries verify ours."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed() -> None:
    """A signature of no key would look like one."""
    with receiving() as server, posting() as posted:
        posted.post(server.url())
        assert "webhook-signature" not in server.next().headers


def test_what_fails_is_tried_again_as_the_same_post() -> None:
    """The receiver can drop what it has got twice; it is delivered once."""
    with receiving(503, (429, {"Retry-After": "0"}), 200) as server, posting() as posted:
        posted.post(server.url(), b"[1]")
        got = [server.next() for _ in range(3)]
        assert posted.end()
    assert {one.body for one in got} == {b"[1]"}
    assert len({one.headers["webhook-id"] for one in got}) == 1


def test_in_the_end_it_is_given_up_without_showing_the_path(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The path of a webhook is often its secret."""
    with receiving(500) as server, posting() as posted, caplog.at_level(logging.DEBUG, "livevlm"):
        posted.post(server.url("/secret"))
        assert not posted.end()
        assert server.got.qsize() == 3
    assert "given up: it answered 500, 3 times" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_a_refusal_is_not_tried_again_and_no_redirect_followed(status: int) -> None:
    """A signed post goes where its owner said and nowhere else."""
    with receiving() as elsewhere, posting() as posted:
        with receiving((status, {"Location": elsewhere.url()})) as server:
            posted.post(server.url())
            assert not posted.end()
            assert server.got.qsize() == 1
        assert elsewhere.got.empty()


def test_a_receiver_that_is_not_there_holds_up_no_other() -> None:
    """Each try that failed waits for its time while others are posted."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        slow = AT_ONCE.new(backoff_factor=1000, backoff_max=1000)
        ends: queue.Queue[bool] = queue.Queue()
        courier = Courier(
            environ={},
            done=ends.put,
            retry=slow,
            timeout=Timeout(connect=LONG_S, read=LONG_S),
        )
        courier.start()
        with receiving() as server:
            courier.post(Webhook(url=nobody), b"{}")
            courier.post(Webhook(url=server.url()), b"{}")
            assert ends.get(timeout=LONG_S)
        courier.close()  # does not wait for what is to be tried in a quarter of an hour
        assert ends.empty()


def test_too_many_posts_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded; whoever posts never waits."""
    monkeypatch.setattr(webhook_module, "MOST_WAITING", 2)
    ends: list[bool] = []
    courier = Courier(environ={}, done=ends.append)
    for _ in range(3):
        courier.post(Webhook(url="http://127.0.0.1:1/"), b"{}")
    assert ends == [False]


@pytest.mark.parametrize(
    ("webhook", "message"),
    [
        (Webhook(url_env="LIVEVLM_WEBHOOK_NOT"), "LIVEVLM_WEBHOOK_NOT is not set"),
        (Webhook(url="http://a/", secret_env="LIVEVLM_WEBHOOK_NOT"), "is not set"),
        (Webhook(url="http://a/", secret_env="LIVEVLM_WEBHOOK_BROKEN"), "no base64"),
        (Webhook(url_env="LIVEVLM_WEBHOOK_FTP"), "LIVEVLM_WEBHOOK_FTP: url: must be http"),
    ],
)
def test_variables_that_are_no_use_are_named_and_not_shown(webhook: Webhook, message: str) -> None:
    """Both when a watch is made and, where they went missing since, when it posts."""
    with pytest.raises(ConfigError, match=message) as raised:
        target_of(webhook, ENVIRON)
    assert "hooks.test" not in raised.value.message
    with posting() as posted:
        with pytest.raises(ConfigError, match=message):
            posted.courier.check(webhook)
        posted.courier.post(webhook, b"{}")
        assert not posted.end()


def test_a_secret_may_be_any_text() -> None:
    """Its bytes are the key; only what is marked as base64 is read so. Neither shows when printed."""
    target = target_of(Webhook(url="http://a/x", secret_env="LIVEVLM_WEBHOOK_PLAIN"), ENVIRON)
    assert target.key == b"just text"
    assert "just text" not in repr(target)
    assert "http" not in repr(target)
