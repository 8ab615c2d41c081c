"""Store: watches in one JSON file, so that they outlive the daemon. Secrets are not in it, only the names of variables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from livevlm.errors import ConfigError
from livevlm.watching.life import STATES, Life, resumed
from livevlm.watching.watch import Rule, Watch, WatchRequest, Webhook

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A watch as it is written down. triggers: how often it told; triggered_utc: when last, POSIX seconds."""

    watch: Watch
    life: Life
    triggers: int = 0
    triggered_utc: float | None = None


class WatchStore:
    """A file of watches, replaced whole."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> list[Kept]:
        """The watches of an earlier daemon. Raises ConfigError where the file cannot be used."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise ValueError(f"its format is {found['format']}, known is {FORMAT}")
            return [_read(one) for one in found["watches"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unusable(error) from error

    def write(self, watches: Iterable[Kept]) -> None:
        """All of it or nothing. Raises OSError."""
        listed = [_written(one) for one in watches]
        part = self._file.with_suffix(".part")
        with part.open("w", encoding="utf-8") as out:
            json.dump({"format": FORMAT, "watches": listed}, out, indent=1, allow_nan=False)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._file)

    def _unusable(self, error: Exception) -> ConfigError:
        what = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return ConfigError(
            f"the watches in {self._file} cannot be read: {what}; put it right, or move the file away to begin without watches"
        )


def _written(kept: Kept) -> dict[str, Any]:
    watch, life = kept.watch, resumed(kept.life)
    return {
        "id": watch.id,
        **asdict(watch.request),
        "created_utc": watch.created_utc,
        "expires_utc": watch.expires_utc if math.isfinite(watch.expires_utc) else None,
        "state": life.state,
        "ready_utc": life.ready_utc,
        "triggers": kept.triggers,
        "triggered_utc": kept.triggered_utc,
    }


def _read(found: dict[str, Any]) -> Kept:
    given = dict(found)
    expires, state = given.pop("expires_utc"), given.pop("state")
    if state not in STATES:
        raise ValueError(f"the state {state!r} is not known")
    life = Life(state, 0, float(given.pop("ready_utc")))
    id_, created = str(given.pop("id")), float(given.pop("created_utc"))
    triggers, triggered = int(given.pop("triggers")), given.pop("triggered_utc")
    rule, webhook = Rule(**given.pop("rule")), given.pop("webhook")
    request = WatchRequest(
        **given, rule=rule, webhook=None if webhook is None else Webhook(**webhook)
    )
    watch = Watch(
        id=id_,
        request=request,
        created_utc=created,
        expires_utc=math.inf if expires is None else float(expires),
    )
    return Kept(
        watch=watch,
        life=resumed(life),
        triggers=triggers,
        triggered_utc=None if triggered is None else float(triggered),
    )
