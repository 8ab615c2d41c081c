"""How a question may be answered, as far as the asker has a say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """Wishes about an answer; None leaves the choice to whoever comes next.

    `instructions` are read before the question. `deadline_s` counts seconds from the question's arrival. `metadata` comes back with
    the answer.
    """

    instructions: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_evidence: int | None = None
    deadline_s: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def over(self, base: AskOptions) -> AskOptions:
        """These wishes, and those of `base` where there are none here."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(base, **{name: value for name, value in given.items() if value is not None})
