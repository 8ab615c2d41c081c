"""docs/client.md cannot lie: its examples are run, and its table of errors is the tree."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path

import pytest

import livevlm
from livevlm import errors
from livevlm.errors import LiveVLMError
from livevlm.link import NotAdmitted
from tests.livevlm.service.serving import on_loop, running
from tests.livevlm.test_daemon import video

DOCUMENT = (Path(livevlm.__file__).parent.parent / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (\d) \|", re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_runs(
    number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands; those without an import in a client's block."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVEVLM_MODEL__NAME", "toy")
    (tmp_path / "livevlm.toml").write_text(
        f'version = 1\n[streams.hall]\nurl = "{video(tmp_path / "a.mp4", 1)}"\n'
    )

    @on_loop
    async def run() -> None:
        async with running() as where:
            where.service.watches.script = ("triggered",)
            code = EXAMPLES[number].replace("127.0.0.1:8765", where.address)
            if "import livevlm" in code:
                await asyncio.to_thread(exec, code, {"__name__": "example"})
                return
            scope: dict[str, object] = {"livevlm": livevlm}
            exec(f"async def example(client):\n{textwrap.indent(code, '    ')}", scope)
            async with livevlm.connect(where.address) as client:
                await scope["example"](client)

    run()
    assert "Traceback" not in capsys.readouterr().err


def test_the_examples_print_what_they_should(capsys: pytest.CaptureFixture[str]) -> None:
    """The first one an answer and where it was seen."""

    @on_loop
    async def run() -> None:
        async with running() as where:
            code = EXAMPLES[0].replace("127.0.0.1:8765", where.address)
            await asyncio.to_thread(exec, code, {})

    run()
    assert capsys.readouterr().out == "A red cup.\nseen from 3 s to 5 s\n"


def test_the_table_of_errors_is_the_tree() -> None:
    """Every class with its code and its exit code, and none beside."""
    known = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    tree = {kind for kind in known if issubclass(kind, LiveVLMError)} - {LiveVLMError}
    told = {(name, code, int(exit_code)) for name, code, exit_code in ROW.findall(DOCUMENT)}
    assert told == {(kind.__name__, kind.code, kind.exit_code) for kind in {*tree, NotAdmitted}}
