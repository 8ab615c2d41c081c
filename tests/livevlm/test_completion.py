"""Completion scripts: made from the parsers, and run by the shell where it is there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from livevlm.cli import VERBS, main
from livevlm.cli.bench import BENCHMARKS
from livevlm.cli.completion import places
from livevlm.cli.shells import WRITERS, Place, bash


@pytest.fixture(scope="module")
def known() -> tuple[Place, ...]:
    """Every place, found once."""
    return tuple(places())


def completed(script: str, folder: Path, line: str) -> set[str]:
    """What bash offers for the last word of a line."""
    words = " ".join(shlex.quote(word) for word in line.split(" "))
    run = f'COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _livevlm; printf "%s\\n" "${{COMPREPLY[@]}}"'
    result = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{run}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_every_verb_gives_its_parser(known: tuple[Place, ...]) -> None:
    """A new verb is completed without being told so."""
    found = {place.path: place for place in known}
    assert {(verb,) for verb in VERBS} <= set(found)
    assert set(found[()].words) == set(VERBS)
    assert set(found[("bench",)].words) == {*BENCHMARKS, "all"}
    assert {("streams", "add"), ("memory", "search"), ("watch", "list"), ("config", "show")} <= set(
        found
    )
    flags = {name for flag in found[("ask",)].flags for name in flag.names}
    assert {"--server", "--ca", "-s", "--json", "--help"} <= flags
    assert not any("describe" in name for name in flags)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "wanted", "unwanted"),
    [
        ("livevlm ", {"serve", "doctor", "completion"}, {"--json"}),
        ("livevlm st", {"status", "streams"}, {"serve"}),
        ("livevlm status --to", {"--token-file"}, {"--json"}),
        ("livevlm streams ", {"add", "remove", "pause"}, {"my.toml"}),
        ("livevlm streams add --url", {"--url-env"}, {"--forget"}),
        ("livevlm --json streams remove --f", {"--forget"}, {"--fps"}),
        ("livevlm watch ", {"list", "delete", "--once"}, set[str]()),
        ("livevlm watch delete --s", {"--server"}, {"--once"}),
        ("livevlm completion ", {"bash", "zsh", "fish"}, set[str]()),
        ("livevlm probe --rtsp-transport ", {"tcp", "udp"}, {"--json"}),
        ("livevlm serve -c ", {"my.toml"}, {"--stream"}),
        ("livevlm status --ca m", {"my.toml"}, {"models"}),
        ("livevlm config check ", {"my.toml", "--help"}, {"show"}),
        ("livevlm ask --timeout ", set[str](), {"my.toml", "--json"}),
    ],
)
def test_bash_offers_what_may_come(
    known: tuple[Place, ...], tmp_path: Path, line: str, wanted: set[str], unwanted: set[str]
) -> None:
    """Verbs, flags, choices and files, each where it belongs."""
    (tmp_path / "my.toml").write_text("")
    offered = completed(bash(known), tmp_path, line)
    assert wanted <= offered
    assert not unwanted & offered


@pytest.mark.parametrize("shell", WRITERS)
def test_scripts_are_sound(known: tuple[Place, ...], shell: str) -> None:
    """Every verb and flag is in them, and the shell can read them, where it is there."""
    script = WRITERS[shell](known)
    assert all(verb in script for verb in VERBS)
    assert "token-file" in script
    assert "%%" not in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, timeout=60, check=True)


def test_the_command_prints_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    """To be evaluated: nothing else is printed."""
    assert main(["completion", "bash"]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("complete -F _livevlm livevlm\n")
    assert printed.err == ""
