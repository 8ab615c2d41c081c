"""Watches in a whole daemon: from frames of a real source to its clients, to a webhook, and over a restart."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from livevlm.client import connect
from livevlm.errors import ConfigError
from livevlm.watching.watch import Rule, WatchRequest, Webhook
from livevlm.watching.webhook import signature
from tests.livevlm.test_daemon import configuration, running, video, wait_for
from tests.livevlm.watching.hook_server import receiving

KEY = "LIVEVLM_WEBHOOK_KEY"
# The toy model says nonsense: whatever it says is a yes to this rule.
ALWAYS = Rule(threshold=1e-9, cooldown_s=0.0)


def test_a_watch_finds_is_posted_and_outlives_the_daemon(tmp_path: Path) -> None:
    """One frame is enough; afterwards the same watch is there, and does not tell again what it told."""
    settings = (
        f"streams.cam.url={video(tmp_path / 'a.mp4')}",
        f"server.state_dir={tmp_path / 's'}",
    )

    async def make(address: str, url: str) -> str:
        async with connect(address) as client:
            wish = WatchRequest(
                stream="cam",
                condition="a star",
                rule=ALWAYS,
                webhook=Webhook(url=url, secret_env=KEY),
            )
            made = await client.watch(wish, keep=True)
            event = await anext(client.watch_events())
            assert (event.change, event.watch.id) == ("triggered", made.watch.id)
            assert event.evidence is not None
            assert event.evidence.picture is not None
            return made.watch.id

    async def look(address: str) -> list[tuple[str, str, int]]:
        async with connect(address) as client:
            found = await client.watches()
            return [(one.watch.id, one.state, one.triggers) for one in found]

    with receiving() as hooks:
        with running(configuration(*settings), {KEY: "secret"}) as (daemon, address):
            id_ = asyncio.run(make(address, hooks.url("/x")))
            got = hooks.next()
            wait_for(daemon, lambda streams: streams["cam"].state == "ended")
        told = json.loads(got.body)
        assert (told["type"], told["watch"]["id"]) == ("watch.triggered", id_)
        headers = got.headers
        assert headers["webhook-signature"] == signature(
            b"secret", headers["webhook-id"], int(headers["webhook-timestamp"]), got.body
        )
        kept = (tmp_path / "s" / "watches.json").read_text()
        assert id_ in kept
        assert '"secret"' not in kept
        # Another recording by its time, so it is watched, too.
        os.utime(tmp_path / "a.mp4", (1, 1))
        with running(configuration(*settings), {KEY: "secret"}) as (daemon, address):
            wait_for(daemon, lambda streams: streams["cam"].frames_encoded > 0)
            assert asyncio.run(look(address)) == [(id_, "triggered", 1)]
            metrics = daemon._metrics.render().decode()
    assert "livevlm_watch_evaluations_total" in metrics
    assert "livevlm_watch_triggers_total 0.0" in metrics
    assert hooks.got.empty()


def test_a_webhook_whose_variable_is_not_set_is_refused(tmp_path: Path) -> None:
    """When the watch is made, not when it would post."""

    async def make(address: str) -> None:
        async with connect(address) as client:
            hook = Webhook(url_env="LIVEVLM_WEBHOOK_NOT")
            await client.watch(WatchRequest(stream="cam", condition="a?", webhook=hook), keep=True)

    settings = f"streams.cam.url={video(tmp_path / 'a.mp4', 1)}"
    with running(configuration(settings)) as (_, address):
        with pytest.raises(ConfigError, match="LIVEVLM_WEBHOOK_NOT is not set"):
            asyncio.run(make(address))
