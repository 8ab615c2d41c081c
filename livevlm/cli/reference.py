"""The reference of all settings, docs/configuration.md, made from the settings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator

from livevlm.config import Config
from livevlm.section import Section
from livevlm.watchconfig import StreamConfig

HEAD = """\
# Configuration

<!-- Made by `livevlm config docs`; a test compares. Change livevlm/config.py or livevlm/watchconfig.py instead. -->

A configuration is a TOML file, given with `-c FILE` or the environment variable `LIVEVLM_CONFIG`. It needs `version = 1` and
whatever differs from the defaults; [configs/default.toml](../configs/default.toml) lists everything. A key that does not exist
is an error that names the nearest one that does.

Where a setting is given more than once, the first of these wins:

1. the command line: `--listen`, `--model`, `--stream NAME=URL`, `--set SECTION.KEY=VALUE`
2. the environment: `LIVEVLM_SECTION__KEY`, as in `LIVEVLM_MEMORY__BUDGET_TOKENS=6000` or `LIVEVLM_STREAMS__FRONT__URL=...`
3. the file
4. the default

`livevlm config show --origin` prints what is in force and where it comes from; `livevlm config check FILE` checks files.
Relative paths are relative to the directory that the command runs in.

Passwords do not belong into the file: put a camera's address into an environment variable and name it with `url_env`, and the
daemon's token into a file and name that with `server.token_file`. Logs, metrics, errors and `config show` hide credentials.
"""


def reference() -> str:
    """The whole page, without the last line's end."""
    lines = [HEAD]
    for name, field in Config.model_fields.items():
        if isinstance(field.default, Section):
            lines += _section(f"[{name}]", type(field.default))
    lines += _section("[streams.NAME]", StreamConfig)
    return "\n".join(lines).rstrip()


def _section(title: str, section: type[Section]) -> Iterator[str]:
    yield f"## `{title}`\n\n{(section.__doc__ or '').strip()}\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for key, field in section.model_fields.items():
        yield f"| `{key}` | `{json.dumps(field.default)}` | {field.description} |"
    yield ""
