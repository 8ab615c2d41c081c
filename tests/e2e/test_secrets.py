"""No secret comes out: a daemon that holds many is provoked in every way that it has, and all that it says is searched."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from livevlm.bench.rtsp import RtspServer
from livevlm.cli import main
from livevlm.service.access import TOKEN_PROTOCOL
from livevlm.service.pages import PATHS, dashboard
from livevlm.service.tls import client_context
from streams.clip import encode_clip
from tests.e2e.leaks import leaks, shapes
from tests.e2e.test_daemon import GUARD_S, Process, daemon
from tests.livevlm.service.test_tls import Files, files
from tests.livevlm.watching.hook_server import Receiver, receiving
from tests.streams.pictures import many

# With signs that must be percent-encoded in an address, and that base64 writes otherwise.
SECRETS = {
    "token": "tok-3f9c1e7a~55d0?>",
    "wrong token": "wrong-tok-81d2aa07",
    "camera's password": "p3w/cam+77@east",
    "wrong password": "n0t-the-0ne",
    "password in the file": "fl-9911-letmein",
    "password over the wire": "w1re-5521-open",
    "password in a bad file": "b4d-f1le-0042",
    "key in a camera's query": "qk-20aa71ff",
    "webhook's path": "hook-path-6d1f00",
    "webhook's key": "whkey-c07e11aa",
}


@dataclass
class Heard:
    """All that came out, by where."""

    places: list[tuple[str, bytes]] = field(default_factory=list)
    resume_tokens: list[str] = field(default_factory=list)

    def note(self, place: str, data: str | bytes) -> None:
        """Something came out."""
        self.places.append((place, data.encode() if isinstance(data, str) else data))

    def event(self, text: str) -> dict[str, Any]:
        """An event of the daemon; the session's token for resuming is meant for its client, and kept apart."""
        event: dict[str, Any] = json.loads(text)
        resume = event.get("session", {}).get("livevlm", {}).pop("resume", None)
        if resume:
            self.resume_tokens.append(resume["token"])
        self.note(f"event {event['type']}", json.dumps(event))
        return event


@dataclass(frozen=True)
class Place:
    """The daemon's port, and who may come in."""

    host: str
    tls: ssl.SSLContext

    async def get(self, path: str, *headers: str, method: str = "GET") -> bytes:
        """All that a request is answered with."""
        name, port = self.host.split(":")
        reader, writer = await asyncio.open_connection(name, int(port), ssl=self.tls)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        got = await reader.read()
        writer.close()
        return got

    def socket(self, **more: Any) -> connect:
        """A websocket with the right token, or as `more` says."""
        bearer = {"Authorization": f"Bearer {SECRETS['token']}"}
        return connect(
            f"wss://{self.host}/v1/realtime",
            ssl=self.tls,
            proxy=None,
            **{"additional_headers": bearer, **more},
        )


def camera(server: RtspServer, password: str) -> str:
    """The camera's address with a password in it."""
    return server.url_of(user=f"admin:{password.replace('/', '%2F').replace('@', '%40')}")


def settings(folder: Path, pem: Files, server: RtspServer) -> Path:
    """A configuration with a secret wherever there may be one."""
    (folder / "token").write_text(SECRETS["token"] + "\n")
    file = folder / "my.toml"
    file.write_text(
        f"""version = 1
[server]
token_file = "{folder / "token"}"
tls_cert = "{pem.cert}"
tls_key = "{pem.key}"
state_dir = "{folder / "state"}"
[ingest]
fps = 10
[streams.hall]
url = "test:?live=1"
[streams.right]
url_env = "CAMERA"
[streams.wrong]
url = "{camera(server, SECRETS["wrong password"])}"
[streams.gone]
url = "rtsp://me:{SECRETS["password in the file"]}@127.0.0.1:1/x?key={SECRETS["key in a camera's query"]}"
"""
    )
    return file


def bad_events() -> Iterator[dict[str, Any]]:
    """Events that are refused, or end badly, and name addresses with passwords in every field that an error quotes."""
    for password in (SECRETS["password over the wire"], SECRETS["wrong password"]):
        address = f"rtsp://me:{password}@127.0.0.1:1/x"
        yield {"type": "stream.add", "name": "porch", "url": address}
        yield {"type": "stream.add", "name": "attic", "url": address.replace("rtsp", "gopher")}
        yield {"type": "stream.add", "name": address, "url": "test:?live=1"}
        yield {"type": "stream.add", "name": "cellar", "url": address, "fps": address}
        yield {"type": "stream.pause", "name": address}
        yield {"type": address}
        yield {"type": "memory.search", "query": "what", "stream": address}
        yield {"type": "subscribe", "topics": [address]}
        yield {"type": "watch.create", "condition": "a car", "webhook": {"url": address}}
        yield {"type": "response.create", "response": {"livevlm": {"streams": [address]}}}
        yield {"type": "watch.delete", "watch": address}
        yield {"type": "response.cancel", "response_id": address}
        yield {"type": "session.update", "session": {"type": address}}


async def provoke(place: Place, heard: Heard) -> None:
    """Everything that the port does, wrong and right."""
    token = SECRETS["token"]
    right, wrong = (
        f"Authorization: Bearer {token}",
        f"Authorization: Bearer {SECRETS['wrong token']}",
    )
    for path in (*PATHS, *dashboard(), "/nowhere", "/v1/frames/hall/newest.jpg"):
        for headers in ((), (right,), (wrong,), (f"Authorization: Basic {token}",)):
            heard.note(f"GET {path}", await place.get(path, *headers))
    heard.note("POST", await place.get(f"/v1/status?token={token}", right, method="POST"))
    heard.note("Origin", await place.get("/v1/status", right, "Origin: https://evil.example"))
    for more in (
        {"additional_headers": {"Authorization": f"Bearer {SECRETS['wrong token']}"}},
        {"additional_headers": {}, "subprotocols": [offered(SECRETS["wrong token"])]},
        {"additional_headers": {}, "subprotocols": [offered(token)]},
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with place.socket(**more):
                pass
        answer = refused.value.response
        heard.note("refusal", repr(answer.headers).encode() + bytes(answer.body or b""))
    async with place.socket() as socket, place.socket() as other:
        for event in bad_events():
            await socket.send(json.dumps(event))
        await watch(socket, heard)
        await until_seen(socket, heard)
        # A bearer of somebody else's token for resuming gets nothing but an error.
        await other.send(json.dumps({"type": "session.resume", "token": token, "last_seq": 0}))
        await other.send(json.dumps({"type": "ping"}))
        while heard.event(str(await other.recv()))["type"] != "pong":
            pass
        socket.transport.abort()


def offered(token: str) -> str:
    """A token as web pages offer it, alone: no session is opened for that."""
    return TOKEN_PROTOCOL + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


async def watch(socket: ClientConnection, heard: Heard) -> None:
    """A watch that is always true, posted to a receiver that wants none; and one whose variable is not set."""
    hook = {"url_env": "LIVEVLM_WEBHOOK_URL", "secret_env": "LIVEVLM_WEBHOOK_KEY"}
    for webhook in (hook, {**hook, "secret_env": "LIVEVLM_WEBHOOK_NONE"}):
        event = {
            "type": "watch.create",
            "condition": "it is so",
            "stream": "hall",
            "threshold": 1e-9,
        }
        await socket.send(json.dumps({**event, "webhook": webhook}))
    while heard.event(str(await socket.recv()))["type"] != "watch.triggered":
        pass


async def until_seen(socket: ClientConnection, heard: Heard) -> None:
    """Until the right camera is seen, and the two others have failed; then a question about each."""
    async with asyncio.timeout(GUARD_S):
        while True:
            await socket.send(json.dumps({"type": "stream.list"}))
            while (event := heard.event(str(await socket.recv())))["type"] != "stream.listed":
                pass
            streams = {stream["name"]: stream for stream in event["streams"]}
            failed = {name for name, stream in streams.items() if stream["error"]}
            if streams["right"]["as_of"] and failed >= {"wrong", "gone", "porch"}:
                break
            await asyncio.sleep(0.05)
    for name in ("right", "wrong", "gone"):
        response = {
            "conversation": "none",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "what?"}]}],
            "livevlm": {"streams": [name]},
        }
        await socket.send(json.dumps({"type": "response.create", "response": response}))
        while heard.event(str(await socket.recv()))["type"] != "response.done":
            pass


def commands(
    place: Place, folder: Path, pem: Files, server: RtspServer, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[str, str]]:
    """What the commands print, on both outputs."""
    at = ("--server", f"wss://{place.host}/v1/realtime", "--ca", pem.ca)
    mine = (*at, "--token-file", str(folder / "token"))
    (folder / "wrong").write_text(SECRETS["wrong token"])
    config = ("-c", str(folder / "my.toml"))
    for words in (
        ("doctor", *config),
        ("doctor", *config, "--json"),
        ("config", "show", *config, "--origin"),
        ("config", "show", *config, "--json"),
        ("config", "check", str(folder / "my.toml"), str(folder / "bad.toml")),
        ("probe", camera(server, SECRETS["wrong password"]), "--for", "1"),
        ("probe", f"rtsp://me:{SECRETS['password over the wire']}@127.0.0.1:1/x"),
        ("status", *mine),
        ("status", *mine, "--json"),
        ("status", *at, "--token-file", str(folder / "wrong")),
        ("streams", "add", "shed", "--url-env", "CAMERA", *mine),
        ("streams", "list", *mine),
        ("watch", "list", *mine),
        ("memory", "stats", *mine),
        ("ask", "what is there?", "-s", "wrong", *mine),
    ):
        try:
            main(words)
        except SystemExit:  # argparse's way of refusing
            pass
        printed = capsys.readouterr()
        assert printed.out or printed.err, words
        yield f"livevlm {' '.join(words[:2])}", printed.out + printed.err


@contextmanager
def stopped(process: Process, heard: Heard) -> Iterator[None]:
    """The body, then SIGTERM; what the process has written is heard."""
    yield
    process.process.send_signal(signal.SIGTERM)
    assert process.end() == 0
    heard.note("standard error", "\n".join(process.log))
    heard.note("standard output", process.out)


def hang_up(process: Process, file: Path) -> None:
    """SIGHUP with files that cannot be used: one with an address that is none, one that is no TOML."""
    good, secret = file.read_text(), SECRETS["password in a bad file"]
    bad = (
        f'[streams.bad]\nurl = "gopher://me:{secret}@x"\n',
        f'[streams.bad]\nurl = "rtsp://me:{secret}@x/y" oops\n',
        f'[streams.bad]\nurl = "rtsp://me:{secret}@x/y"\npassword = "{secret}"\n',
        f'[server]\ntoken = "{secret}"\n',
    )
    for number, text in enumerate(bad, start=1):
        file.write_text(f"version = 1\n{text}")
        file.with_name("bad.toml").write_text(f"version = 1\n{text}")
        process.process.send_signal(signal.SIGHUP)
        process.wait_for_line_with("was not reloaded", number)
    file.write_text(good)


def test_no_secret_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a token, a camera's password, a webhook's address or key, a key of TLS: in no log, page, event, command or file."""
    heard, pem = Heard(), files(tmp_path / "pem")
    secrets = dict(SECRETS)
    key = [line for line in Path(pem.key).read_text().splitlines() if "-" not in line]
    secrets |= {f"line {number} of the key": line for number, line in enumerate(key) if line}
    right = ("admin", SECRETS["camera's password"])
    clip = encode_clip(many(20), 10)
    with RtspServer(clip, credentials=right) as server, receiving(500) as receiver:
        file = settings(tmp_path, pem, server)
        env = environment(server, receiver)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with daemon("-c", str(file), "-v", env=env) as process, stopped(process, heard):
            host = process.address().removeprefix("wss://").split("/")[0]
            place = Place(host, client_context(pem.ca))
            asyncio.run(asyncio.wait_for(provoke(place, heard), 2 * GUARD_S))
            posted = receiver.next()
            assert posted.path.endswith(SECRETS["webhook's path"])
            heard.note("the webhook's body", posted.body)
            hang_up(process, file)
            for said, text in commands(place, tmp_path, pem, server, capsys):
                heard.note(said, text)
    secrets |= {f"token {n} to resume": token for n, token in enumerate(heard.resume_tokens)}
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    for path in kept:
        heard.note(str(path.relative_to(tmp_path)), path.read_bytes())
    check_enough(heard, kept)
    assert leaks(secrets, heard.places) == []


def environment(server: RtspServer, receiver: Receiver) -> dict[str, str]:
    """What the daemon finds in its environment."""
    path = SECRETS["webhook's path"]
    return {
        "CAMERA": camera(server, SECRETS["camera's password"]),
        "LIVEVLM_WEBHOOK_URL": receiver.url(f"/{path}"),
        "LIVEVLM_WEBHOOK_KEY": SECRETS["webhook's key"],
    }


def check_enough(heard: Heard, kept: list[Path]) -> None:
    """That all was provoked that was meant to be: what is not said cannot leak, and proves nothing."""
    log = dict(heard.places)["standard error"].decode()
    assert "DEBUG" in log
    assert "Traceback" not in log
    for said in ("rtsp://***@127.0.0.1", "401", "was not reloaded", "webhook"):
        assert said in log, said
    assert any(path.name == "watches.json" for path in kept), kept
    errors = [place for place, _ in heard.places if place == "event error"]
    assert len(errors) >= 15


def test_what_searches_would_find_them() -> None:
    """Each way in which a secret may be written is found, wherever it stands."""
    secret = "p3w/cam+77@east"
    for before in range(6):
        whole = b"x" * before + secret.encode() + b"yz"
        for written in (base64.b64encode(whole), base64.urlsafe_b64encode(whole), whole):
            assert leaks({"it": secret}, [("here", b"... " + written + b" ...")]), (before, written)
    assert b"p3w%2Fcam%2B77%40east" in shapes(secret)
    assert not leaks({"it": secret}, [("here", b"p3w/cam+78@east")])
