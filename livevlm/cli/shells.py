"""Completion as each shell wants it written. All three find the place on the command line, then offer what is known there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag by all its names; `choices` is empty where any value goes."""

    names: tuple[str, ...]
    help: str
    takes: Literal["nothing", "file", "value"] = "nothing"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the words of `path`: words that may come, with their help, flags, and whether a file may."""

    path: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    files: bool = False

    @property
    def label(self) -> str:
        """The path as the scripts hold it."""
        return " ".join(self.path)


Places = tuple[Place, ...]


def bash(places: Places) -> str:
    """A script to be sourced."""
    return "\n".join([*_head(places, "COMP_WORDS[@]:1:$((COMP_CWORD-1))"), *_bash(places), ""])


def _bash(places: Places) -> Iterator[str]:
    yield '    local cur="${COMP_WORDS[COMP_CWORD]}" known="" files=""'
    yield '    case "$place|${COMP_WORDS[COMP_CWORD-1]}" in'
    for patterns, flag in _taking(places):
        if flag.choices:
            offer = f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(flag.choices))} -- "$cur"))'
        else:
            offer = _BASH_FILES if flag.takes == "file" else "COMPREPLY=()"
        yield f"        {patterns}) {offer}; return ;;"
    yield '    esac\n    case "$place" in'
    for place in places:
        known = [*place.words, *(name for flag in place.flags for name in flag.names)]
        files = "; files=1" if place.files else ""
        yield f"        {_quoted(place.label)}) known={shlex.quote(' '.join(known))}{files} ;;"
    yield '    esac\n    COMPREPLY=($(compgen -W "$known" -- "$cur"))'
    yield f"    if [[ -n $files && $cur != -* ]]; then {_BASH_FILES.replace('=(', '+=(', 1)}; fi"
    yield "}\ncomplete -F _livevlm livevlm"


_BASH_FILES = 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))'


def zsh(places: Places) -> str:
    """A file for $fpath."""
    lines = [*_head(places, "words[@]:1:$((CURRENT-2))"), *_zsh(places), ""]
    return "\n".join(["#compdef livevlm", *lines])


def _zsh(places: Places) -> Iterator[str]:
    yield "    local -a known flags\n    local files="
    yield '    case "$place|${words[CURRENT-1]}" in'
    for patterns, flag in _taking(places):
        offer = "_files" if flag.takes == "file" else "_message value"
        if flag.choices:
            offer = f"compadd -- {shlex.join(flag.choices)}"
        yield f"        {patterns}) {offer}; return ;;"
    yield '    esac\n    case "$place" in'
    for place in places:
        known = _zsh_told(place.words.items())
        flags = _zsh_told((name, flag.help) for flag in place.flags for name in flag.names)
        files = "; files=1" if place.files else ""
        yield f"        {_quoted(place.label)}) known=({known}); flags=({flags}){files} ;;"
    yield "    esac\n    _describe word known\n    _describe -o flag flags"
    yield "    if [[ -n $files ]]; then _files; fi\n}"
    yield 'if [[ $funcstack[1] = _livevlm ]]; then _livevlm "$@"; else compdef _livevlm livevlm; fi'


def _zsh_told(told: Iterable[tuple[str, str]]) -> str:
    return " ".join(shlex.quote(f"{name}:{_plain(text)}" if text else name) for name, text in told)


def fish(places: Places) -> str:
    """A file for fish's folder of completions."""
    return "\n".join([*_fish(places), ""])


def _fish(places: Places) -> Iterator[str]:
    known = " ".join(_fish_quoted(place.label) for place in places if place.path)
    yield "function __livevlm_at\n    set -l place ''\n    set -l known " + known
    yield '    for word in (commandline -opc)[2..-1]\n        set -l next (string trim -- "$place $word")'
    yield '        contains -- "$next" $known; and set place $next\n    end\n    test "$place" = "$argv[1]"\nend'
    yield "complete -c livevlm -f"
    for place in places:
        at = f"complete -c livevlm -n {_fish_quoted(f'__livevlm_at {_fish_quoted(place.label)}')}"
        if place.files:
            yield f"{at} -F"
        for word, text in place.words.items():
            yield f"{at} -a {_fish_quoted(word)} -d {_fish_quoted(_plain(text))}"
        for flag in place.flags:
            yield f"{at} {_fish_flag(flag)} -d {_fish_quoted(_plain(flag.help))}"


def _fish_flag(flag: Flag) -> str:
    names = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names]
    if flag.choices:
        names.append(f"-x -a {_fish_quoted(' '.join(flag.choices))}")
    elif flag.takes != "nothing":
        names.append("-r -F" if flag.takes == "file" else "-x")
    return " ".join(names)


def _head(places: Places, before: str) -> Iterator[str]:
    """Find the place: bash and zsh both read this. `path` would be zsh's own."""
    known = "|".join(_quoted(place.label) for place in places if place.path)
    yield f'_livevlm() {{\n    local place="" word\n    for word in "${{{before}}}"; do'
    yield f'        case "${{place:+$place }}$word" in\n            {known}) place="${{place:+$place }}$word" ;;'
    yield "        esac\n    done"


def _taking(places: Places) -> Iterator[tuple[str, Flag]]:
    """Flags that take a value, by the patterns of what stands before it."""
    for place in places:
        for flag in place.flags:
            if flag.takes != "nothing":
                yield "|".join(_quoted(f"{place.label}|{name}") for name in flag.names), flag


def _plain(text: str) -> str:
    """The help on one line, as argparse would show it."""
    return " ".join(text.replace("%%", "%").split())


def _quoted(text: str) -> str:
    return f"'{text}'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


WRITERS: Mapping[str, Callable[[Places], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
