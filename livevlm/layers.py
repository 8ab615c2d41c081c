"""Layers: settings gathered from several places, the later place winning, each value remembering where it came from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from livevlm.errors import ConfigError

Path = tuple[str, ...]

ENV_PREFIX = "LIVEVLM_"
ENV_SEPARATOR = "__"
_ALTERNATIVES = {"url": "url_env", "url_env": "url"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, its path (`("memory", "budget_tokens")`) and its origin in words; `text` values are still to be converted."""

    path: Path
    value: Any
    origin: str
    text: bool = False


def dotted(path: Iterable[object]) -> str:
    """The path as people write it."""
    return ".".join(str(part) for part in path)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` where a known word is close, else what there is to choose from."""
    words = list(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(words)}" if words else ""


def from_table(table: Mapping[str, Any], origin: str, path: Path = ()) -> list[Setting]:
    """Every leaf of a parsed TOML table; an empty table is a leaf too."""
    settings: list[Setting] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            settings += from_table(value, origin, (*path, key))
        else:
            settings.append(Setting((*path, key), value, origin))
    return settings


def from_environment(environ: Mapping[str, str], streams: Iterable[str]) -> list[Setting]:
    """What `LIVEVLM_SECTION__KEY` variables set. `streams` holds the names known so far: they are matched whatever their case.

    Variables without the double underscore are none of ours: container platforms set such names by themselves.
    """
    names = {name.casefold(): name for name in streams}
    settings: list[Setting] = []
    for variable in sorted(environ):
        if variable.startswith(ENV_PREFIX) and ENV_SEPARATOR in variable:
            path = tuple(variable.removeprefix(ENV_PREFIX).lower().split(ENV_SEPARATOR))
            if path[0] == "streams" and len(path) > 1:
                path = (path[0], names.get(path[1], path[1]), *path[2:])
            settings.append(Setting(path, environ[variable], f"environment {variable}", True))
    return settings


def from_flag(assignment: str, flag: str) -> Setting:
    """The setting in `section.key=value`, as `--set` takes it."""
    key, equals, value = assignment.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{flag} {assignment!r}: expected SECTION.KEY=VALUE")
    return Setting(tuple(key.strip().split(".")), value.strip(), flag, True)


def merge(layers: Iterable[Iterable[Setting]]) -> tuple[dict[str, Any], dict[Path, Setting]]:
    """The nested table that the layers make, later ones winning, and for each leaf the setting that won."""
    table: dict[str, Any] = {}
    winners: dict[Path, Setting] = {}
    for layer in layers:
        settings = list(layer)
        _drop_alternatives(table, winners, settings)
        for setting in settings:
            _put(table, setting)
            winners[setting.path] = setting
    return table, winners


def _put(table: dict[str, Any], setting: Setting) -> None:
    for depth, key in enumerate(setting.path[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{setting.origin}: {dotted(setting.path[:depth])} is not a table")
    if setting.value == {}:
        table.setdefault(setting.path[-1], {})
    else:
        table[setting.path[-1]] = setting.value


def _drop_alternatives(
    table: dict[str, Any], winners: dict[Path, Setting], layer: list[Setting]
) -> None:
    """A layer that gives a stream's `url` overrides the `url_env` of the layers below, and the other way round."""
    given = {setting.path for setting in layer}
    for path in given:
        if path[0] == "streams" and len(path) == 3 and path[2] in _ALTERNATIVES:
            other = (*path[:2], _ALTERNATIVES[path[2]])
            if other in winners and other not in given:
                del winners[other], table[path[0]][path[1]][other[2]]
