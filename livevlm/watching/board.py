"""Board: the watches of one engine, put together."""

from __future__ import annotations

import uuid
from pathlib import Path

from livevlm.backbone import Backbone
from livevlm.chat import ChatLayout
from livevlm.watching.evaluation import evaluate, verdicts
from livevlm.watching.store import WatchStore
from livevlm.watching.watches import Counts, Judge, Watches, WatchOptions
from memory import StreamMemory

FILE = "watches.json"


def make_watches(
    backbone: Backbone,
    layout: ChatLayout,
    options: WatchOptions,
    *,
    counts: Counts,
    state: Path | None,
) -> Watches:
    """The watches that the state directory holds, or none. Raises ConfigError where its file cannot be read."""
    store = None if state is None else WatchStore(state / FILE)
    return Watches(
        lambda: judge_of(backbone, layout), options, counts=counts, new_id=new_id, store=store
    )


def judge_of(backbone: Backbone, layout: ChatLayout) -> Judge:
    """Questions put to a model. Raises ConfigError where its tokens cannot tell yes from no."""
    said = verdicts(backbone.codec)

    def judge(memory: StreamMemory, question: str) -> float:
        return evaluate(backbone, memory, layout, said, question)

    return judge


def new_id() -> str:
    """An id that no other watch has."""
    return f"watch_{uuid.uuid4().hex[:12]}"
