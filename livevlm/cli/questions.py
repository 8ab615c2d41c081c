"""Questions with times, as `livevlm replay` takes them: `--ask "12.5=what do you see?"`, or lines of JSON in a file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from livevlm.config import AnswerConfig
from livevlm.errors import ConfigError
from livevlm.messages import Question
from livevlm.service.timespan import time_range
from livevlm.timed import STREAM, TimedQuestion

_TIMED = re.compile(r"\s*(\d+(?:\.\d+)?|end)\s*=(.+)", re.DOTALL)
_KEYS = ("at", "question", "id", "last", "from", "to")


def read_questions(
    asked: Iterable[str], file: Path | None, answer: AnswerConfig
) -> list[TimedQuestion]:
    """Those given with --ask, then those in the file; ConfigError names the one that cannot be used."""
    entries = [*_from_flags(asked), *(_from_file(file) if file is not None else ())]
    return [
        _timed(entry, f"question-{number}", where, answer)
        for number, (entry, where) in enumerate(entries, start=1)
    ]


def _from_flags(asked: Iterable[str]) -> Iterator[tuple[dict[str, Any], str]]:
    for text in asked:
        match = _TIMED.fullmatch(text)
        at, question = (match[1], match[2]) if match else ("end", text)
        yield {"at": at if at == "end" else float(at), "question": question.strip()}, "--ask"


def _from_file(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the questions in {file} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        where = f"{file}:{number}"
        if line.strip():
            yield _entry(line, where), where


def _entry(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON: {error}") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise ConfigError(f'{where}: expected an object with a "question", and maybe an "at"')
    unknown = entry.keys() - set(_KEYS)
    if unknown:
        raise ConfigError(f"{where}: unknown key {min(unknown)}; known: {', '.join(_KEYS)}")
    return entry


def _timed(
    entry: dict[str, Any], default_id: str, where: str, answer: AnswerConfig
) -> TimedQuestion:
    at = entry.get("at", "end")
    if at != "end" and (isinstance(at, bool) or not isinstance(at, int | float) or not at >= 0):
        raise ConfigError(f'{where}: "at" is seconds of stream time from 0, or "end"; not {at!r}')
    try:
        question = Question(
            id=str(entry.get("id", default_id)),
            stream=STREAM,
            text=entry["question"],
            max_tokens=answer.max_tokens,
            temperature=answer.temperature,
            top_p=answer.top_p,
            time=time_range(last=entry.get("last"), start=entry.get("from"), end=entry.get("to")),
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    return TimedQuestion(math.inf if at == "end" else float(at), question)
