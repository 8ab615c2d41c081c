"""docs/integrations.md says what is so: its examples are run."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from livevlm.cli.completion import parser_of
from livevlm.gateway.chat import EXTRAS, REFUSED
from livevlm.gateway.specs import SPECS, TIMES
from tests.livevlm.gateway.doors import gateway, to
from tests.livevlm.service.serving import on_loop, running

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "integrations.md").read_text(
    encoding="utf-8"
)
URL = "http://127.0.0.1:8766/v1"


def examples(kind: str) -> list[str]:
    """The blocks of a language; "" has none."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@on_loop
async def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands, but for the port and the model's name."""
    (code,) = examples("python")
    async with running() as where, gateway(to(where.address)) as url:
        code = code.replace(URL, url).replace('"bundled"', '"fake"')
        await asyncio.to_thread(exec, compile(code, "docs/integrations.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "A red cup.",
        "2026-09-21T14:13:23.000Z 2026-09-21T14:13:25.000Z 0.75",
        "A red cup.",
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@on_loop
async def test_the_curl_example_runs() -> None:
    """Typed as it stands, but for the port."""
    (line,) = [block for block in examples("") if block.startswith("curl")]

    def typed(url: str) -> dict[str, Any]:
        words = [*shlex.split(line.replace(URL, url)), "-sS", "--noproxy", "*"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    async with running() as where, gateway(to(where.address)) as url:
        found = await asyncio.to_thread(typed, url)
    assert found["choices"][0]["message"]["content"] == "A red cup."


def test_the_assistants_configuration_names_a_command() -> None:
    """Its words are ones that the verb reads."""
    (text,) = examples("json")
    server = json.loads(text)["mcpServers"]["livevlm"]
    verb, *words = server["args"]
    assert server["command"] == "livevlm"
    assert parser_of(verb).parse_args(words).server == "127.0.0.1:8765"


def test_every_tool_and_every_field_is_told() -> None:
    """A new one is told as well."""
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert {spec.name for spec in SPECS} <= set(rows)
    for spec in SPECS:
        own = set(spec.takes) - {"stream", "watch", *TIMES}  # those are told in words
        assert all(f"`{name}`" in rows[spec.name] for name in own), spec.name
    for name in (*EXTRAS, *REFUSED):
        assert f"`{name}`" in PAGE
