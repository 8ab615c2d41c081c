"""How a question may be answered, as far as the asker has a say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from livevlm.messages import Exchange, Question, TimeRange
from livevlm.service.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """Wishes about an answer; None leaves the choice to whoever comes next.

    `instructions` are read before the question, and so are the newest `history_turns` of what was asked and answered before.
    `deadline_s` counts seconds from the question's arrival. `metadata` comes back with the answer.
    """

    instructions: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_evidence: int | None = None
    history_turns: int | None = None
    deadline_s: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def over(self, base: AskOptions) -> AskOptions:
        """These wishes, and those of `base` where there are none here."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(base, **{name: value for name, value in given.items() if value is not None})


DEFAULTS = AskOptions(
    max_tokens=128, temperature=0.0, top_p=1.0, seed=0, max_evidence=8, history_turns=0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """One session's: the defaults of its questions, how many may be open at once, what else its client may do, and the stream
    that questions are about by default.
    """

    defaults: AskOptions = DEFAULTS
    max_questions: int = 8
    limits: Limits = field(default_factory=Limits)
    stream: str | None = None


def question_from(
    text: str,
    *,
    question_id: str,
    stream: str,
    time: TimeRange | None,
    options: AskOptions,
    earlier: tuple[Exchange, ...] = (),
    asker: str = "",
) -> Question:
    """The question that is meant, with `DEFAULTS` where nobody has a wish."""
    wishes = options.over(DEFAULTS)
    assert wishes.max_tokens is not None and wishes.max_evidence is not None
    assert wishes.temperature is not None and wishes.top_p is not None and wishes.seed is not None
    return Question(
        id=question_id,
        stream=stream,
        text=text,
        max_tokens=wishes.max_tokens,
        temperature=wishes.temperature,
        top_p=wishes.top_p,
        seed=wishes.seed,
        time=time,
        max_evidence=wishes.max_evidence,
        deadline_s=wishes.deadline_s,
        earlier=earlier,
        asker=asker,
    )
