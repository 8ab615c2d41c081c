"""`livevlm completion SHELL`: a script that has bash, zsh or fish complete verbs, flags, choices and files.

    livevlm completion bash > ~/.local/share/bash-completion/completions/livevlm
    livevlm completion zsh > "${fpath[1]}/_livevlm"       once
    livevlm completion fish > ~/.config/fish/completions/livevlm.fish

It is made from the parsers of all verbs, so it knows what this version knows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from livevlm.cli import VERBS, load_module
from livevlm.cli.bench import BENCHMARKS
from livevlm.cli.parsing import DESCRIBE, Described, parser_for
from livevlm.cli.shells import WRITERS, Flag, Place

FILES = ("FILE", "DIR", "VIDEO")
# Verbs that hand over by their first word, before they have a parser.
HANDED_OVER = {
    "watch": {"list": "the daemon's watches, and how they are", "delete": "delete watches"},
}


def main(argv: Sequence[str]) -> int:
    """Print the script."""
    parser = parser_for("completion", __doc__ or "")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=list(WRITERS))
    args = parser.parse_args(argv)
    print(WRITERS[args.shell](tuple(places())), end="")
    return 0


def places() -> Iterator[Place]:
    """Every place on a command line where a word can be completed: behind the command, a verb, a verb of a verb."""
    yield Place((), words=VERBS)
    for verb in VERBS:
        if verb == "bench":
            yield Place((verb,), words=BENCHMARKS | {"all": "every benchmark"})
            continue
        others = HANDED_OVER.get(verb, {})
        yield from _places((verb,), parser_of(verb), others)
        for word in others:
            yield from _places((verb, word), parser_of(verb, word), {})


def parser_of(verb: str, *words: str) -> argparse.ArgumentParser:
    """The parser that a verb makes for itself when it is called with these words."""
    try:
        load_module(f"livevlm.cli.{verb}").main([*words, DESCRIBE])
    except Described as found:
        return found.parser
    raise AssertionError(f"{verb} has read its words without a parser of ours")


def _places(
    path: tuple[str, ...], parser: argparse.ArgumentParser, words: dict[str, str]
) -> Iterator[Place]:
    flags, files, below = [], False, {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = dict(action.choices)
            told = {one.dest: one.help or "" for one in action._get_subactions()}
            words = words | {name: told.get(name, "") for name in below}
        elif action.help == argparse.SUPPRESS:
            continue
        elif action.option_strings:
            flags.append(_flag(action))
        else:
            files = files or _is_file(action)
            words = words | {str(choice): "" for choice in action.choices or ()}
    yield Place(path, words=words, flags=tuple(flags), files=files)
    for name, one in below.items():
        yield from _places((*path, name), one, {})


def _flag(action: argparse.Action) -> Flag:
    return Flag(
        names=tuple(action.option_strings),
        help=action.help or "",
        takes="nothing" if action.nargs == 0 else "file" if _is_file(action) else "value",
        choices=tuple(str(choice) for choice in action.choices or ()),
    )


def _is_file(action: argparse.Action) -> bool:
    return action.type is Path or action.metavar in FILES
