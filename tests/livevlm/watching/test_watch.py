"""What a watch may be, and how its condition is asked."""

from __future__ import annotations

import math
from typing import Any

import pytest

from livevlm.watching.watch import Rule, WatchRequest, Webhook
from livevlm.watching.wording import question_for

SECRET = "https://hooks.test/T0/very-secret?key=x"


@pytest.mark.parametrize(
    ("condition", "question"),
    [
        ("is there a red star in view?", "is there a red star in view?"),
        ("Is the door open", "Is the door open?"),
        ("tell me if a car stops.", "tell me if a car stops?"),
        ("there is a red star", "is there a red star?"),
        ("There are  two\ncars.", "are there two cars?"),
        ("a red star", "is there a red star in view?"),
        ("A red star", "is there a red star in view?"),
        ("smoke", "is there smoke in view?"),
        ("a red car stops", "is it so that a red car stops?"),
        ("The door is open!", "is it so that the door is open?"),
        ("istanbul", "is there istanbul in view?"),
    ],
)
def test_a_condition_becomes_a_question(condition: str, question: str) -> None:
    """One that is answered by yes or no; a question stays as it was put."""
    assert question_for(condition) == question


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"condition": " "}, "condition"),
        ({"condition": "x" * 501}, "condition"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"lasts_s": 0.0}, "expires_s"),
        ({"lasts_s": math.inf}, "expires_s"),
        ({"lasts_s": math.nan}, "expires_s"),
    ],
)
def test_a_wrong_watch_names_the_field(wrong: dict[str, Any], field: str) -> None:
    """The message begins with it, for the protocol's `param`."""
    with pytest.raises(ValueError, match=f"^{field}: "):
        WatchRequest(**{"stream": "front", "condition": "a star", **wrong})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"mode": "twice"}, "mode"),
        ({"cooldown_s": -1.0}, "cooldown_s"),
        ({"cooldown_s": math.nan}, "cooldown_s"),
        ({"confirm_n": 0}, "confirm_n"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.0}, "threshold"),
    ],
)
def test_a_wrong_rule_names_the_field(wrong: dict[str, Any], field: str) -> None:
    """So does a rule."""
    with pytest.raises(ValueError, match=f"^{field}: "):
        Rule(**wrong)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "url"),
        ({"url": SECRET, "url_env": "LIVEVLM_WEBHOOK_A"}, "url"),
        ({"url": "ftp://hooks.test/"}, "url"),
        ({"url": "https:///path"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "http://a:99999/"}, "url"),
        ({"url": "http://a b/"}, "url"),
        ({"url": "http://a/\r\nx: y"}, "url"),
        ({"url": "https://me:secret@hooks.test/"}, "url"),
        ({"url": "https://hooks.test/" + "x" * 2048}, "url"),
        ({"url_env": "HOME"}, "url_env"),
        ({"url_env": "LIVEVLM_WEBHOOK_A__B"}, "url_env"),
        ({"url": SECRET, "secret_env": "LIVEVLM_TOKEN"}, "secret_env"),
    ],
)
def test_a_wrong_webhook_names_the_field_and_shows_no_secret(
    wrong: dict[str, Any], field: str
) -> None:
    """Any variable of the daemon could else be had signed with, and passwords would be written down."""
    with pytest.raises(ValueError, match=f"^{field}: ") as raised:
        Webhook(**wrong)
    assert "secret" not in str(raised.value).removeprefix("secret_env")


def test_of_a_webhook_only_the_host_is_shown() -> None:
    """Its path may be a secret: with many services it is."""
    assert Webhook(url=SECRET).shown == "https://hooks.test"
    assert Webhook(url_env="LIVEVLM_WEBHOOK_DOOR").shown == "$LIVEVLM_WEBHOOK_DOOR"
