"""Loading a configuration: command line over `LIVEVLM_SECTION__KEY` variables over the file over the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from livevlm.config import Config, reason
from livevlm.errors import ConfigError, SettingError
from livevlm.layers import Path, Setting, dotted, from_environment, from_table, merge, nearest
from livevlm.section import Section
from livevlm.watchconfig import StreamConfig


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and where each value that is not a default came from."""

    config: Config
    winners: Mapping[Path, Setting]

    def origin(self, path: Path) -> str:
        """`default`, `file NAME`, `environment NAME` or the flag."""
        return self.winners[path].origin if path in self.winners else "default"


def load_config(
    file: FilePath | None,
    *,
    environ: Mapping[str, str],
    flags: Iterable[Setting] = (),
) -> Loaded:
    """Merge flags over variables over the file over the defaults; ConfigError names what is wrong, where, and the way out."""
    in_file = [] if file is None else from_table(_read(file), f"file {file}")
    streams = {s.path[1] for s in in_file if s.path[0] == "streams" and len(s.path) > 1}
    layers = [in_file, from_environment(environ, streams), list(flags)]
    table, winners = merge([_converted(s) for s in layer] for layer in layers)
    if file is not None and "version" not in table:
        raise ConfigError(f"file {file}: version is missing; put `version = 1` at the top")
    try:
        return Loaded(Config.model_validate(table), winners)
    except ValidationError as error:
        raise ConfigError(_explain(error, winners)) from None


def _read(file: FilePath) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"file {file}: No such file; check its path, or begin one with: livevlm config show > {file}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"file {file}: {reason(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"file {file}: not TOML: {error}") from error


def _section_at(path: Iterable[object]) -> type[Section] | None:
    """The section that a path leads to, None for a leaf or an unknown name."""
    section: type[Section] = Config
    parts = iter(path)
    for part in parts:
        if section is Config and part == "streams":
            next(parts, None)
            section = StreamConfig
            continue
        field = section.model_fields.get(str(part))
        if field is None or not isinstance(field.default, Section):
            return None
        section = type(field.default)
    return section


def field_at(path: Path) -> FieldInfo | None:
    """The field that a path leads to; None where there is none."""
    section = _section_at(path[:-1])
    return None if section is None else section.model_fields.get(path[-1])


def _is_leaf(path: Path) -> bool:
    return field_at(path) is not None and _section_at(path) is None


def _is_list(field: FieldInfo) -> bool:
    return isinstance(field.default, list)


def _converted(setting: Setting) -> Setting:
    field = field_at(setting.path) if setting.text else None
    if field is None:
        return setting
    # Limits are judged later, with everything else.
    adapter = TypeAdapter[Any](field.annotation or str)
    words = [word.strip() for word in setting.value.split(",") if word.strip()]
    try:
        value = adapter.validate_python(words if _is_list(field) else setting.value)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise ConfigError(f"{setting.origin}: {dotted(setting.path)}: {message}") from None
    return Setting(setting.path, value, setting.origin)


def stream_settings(name: str, table: Mapping[str, Any]) -> StreamConfig:
    """The settings of one stream, from what its [streams.NAME] table would hold. SettingError names the first that is wrong."""
    try:
        return Config.model_validate({"streams": {name: dict(table)}}).streams[name]
    except ValidationError as error:
        path, messages = next(iter(_problems(error).items()))
        param = path[2] if len(path) > 2 else "url" if len(path) == 2 else "name"
        raise SettingError(f"{param}: {' or: '.join(messages)}", param=param) from None


def _problems(error: ValidationError) -> dict[Path, list[str]]:
    """What is wrong, by where it stands."""
    problems: dict[Path, list[str]] = {}
    for problem in error.errors():
        path = tuple(str(part) for part in problem["loc"])
        while len(path) > 1 and _is_leaf(path[:-1]):
            path = path[:-1]  # pydantic goes on, below a field, to the member of a union
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{_nearest_key(path)}"
        problems.setdefault(path, []).append(message)
    return problems


def _explain(error: ValidationError, winners: Mapping[Path, Setting]) -> str:
    """One line a problem: where it stands, what it is."""
    return "\n".join(
        f"{_origins(path, winners)}{dotted(path)}: {' or: '.join(messages)}"
        for path, messages in _problems(error).items()
    )


def _nearest_key(path: Path) -> str:
    if len(path) == 1:
        for name, field in Config.model_fields.items():
            if isinstance(field.default, Section) and path[0] in type(field.default).model_fields:
                return f"; did you mean {name}.{path[0]}?"
    section = _section_at(path[:-1])
    return nearest(path[-1], section.model_fields if section is not None else ())


def _origins(path: Path, winners: Mapping[Path, Setting]) -> str:
    """Where the values at and below a path came from, or where the value is that it stands below."""
    below = {s.origin for p, s in winners.items() if p[: len(path)] == path}
    above = {s.origin for p, s in winners.items() if path[: len(p)] == p}
    origins = below or above
    return f"{', '.join(sorted(origins))}: " if origins else ""
