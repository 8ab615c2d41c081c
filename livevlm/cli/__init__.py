"""The `livevlm` command: finds the verb, imports its module, runs it.

Data goes to standard output, logs and errors to standard error. Exit codes: 0 ok, 1 unexpected, 2 usage or configuration,
3 unreachable, 4 model missing, 5 unknown stream or id, 6 partial, 7 timeout, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import cast

from livevlm.errors import LiveVLMError
from livevlm.layers import nearest

VERBS = {
    "serve": "watch streams, remember them, answer over a websocket",
    "ask": "ask a running daemon",
    "streams": "add, remove, pause and resume streams of a running daemon",
    "watch": "be told when something is so",
    "status": "what a running daemon sees and remembers",
    "memory": "how much is remembered, where something was seen, forgetting, moving",
    "gateway": "a running daemon for programs that speak OpenAI's chat completions",
    "mcp": "a running daemon as tools for assistants",
    "replay": "answer questions about a recording, without a daemon",
    "probe": "what a source delivers: codec, size, frame rate, health",
    "models": "list models; make one of a real shape with random weights",
    "bench": "run a benchmark",
    "eval": "ask a model about recordings of known content, and count what is right",
    "config": "show or check a configuration",
    "schema": "the JSON Schema of the protocol's events",
    "doctor": "what of the machine and a configuration is not well, and the way out",
    "completion": "a script that completes verbs and flags in bash, zsh or fish",
    "version": "versions of this program and of what it runs on",
}

INTERRUPTED = 128 + signal.SIGINT

Main = Callable[[Sequence[str]], int]


def overview() -> str:
    """The help of the command as a whole."""
    verbs = "\n".join(f"  {verb:<12}{text}" for verb, text in VERBS.items())
    return (
        "usage: livevlm VERB ...\n\nWatches live video, remembers it, and answers questions about any of it.\n\n"
        f"{verbs}\n\n`livevlm VERB --help` tells more of each."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. argparse ends the process itself on bad usage (2) and on --help (0)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    verb = "version" if words[0] in ("-V", "--version") else words[0]
    if verb not in VERBS:
        return fail(f"unknown verb {verb!r}{nearest(verb, VERBS)}", 2)
    try:
        return run_module(f"livevlm.cli.{verb}", words[1:])
    except LiveVLMError as error:
        return fail(error.message, error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def load_module(name: str) -> ModuleType:
    """Import a module by name: the one dynamic import, so that a command pays only for what it needs, when it needs it."""
    return importlib.import_module(name)


def run_module(name: str, argv: Sequence[str]) -> int:
    """Run the `main` of a module."""
    return cast(Main, load_module(name).main)(argv)


def fail(message: str, code: int) -> int:
    """Say what is wrong on standard error; gives back the exit code."""
    for line in message.splitlines():
        print(f"livevlm: {line}", file=sys.stderr)
    return code
