"""Exam: new recordings of known content go through a daemon's own engine, which is asked about them.

Nothing of training is in the way here: frames are pictures, memory keeps what its configuration says, answers are decoded
greedily and must be the right words, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from livevlm.assembly import build_engine
from livevlm.backbone import Backbone
from livevlm.config import Config
from livevlm.messages import Question
from livevlm.metrics import Metrics
from livevlm.replay import STREAM, Feed, TimedQuestion, replay, stream_of
from livevlm.timestamps import clock_text
from livevlm.training.bank import LOOKS, film_scenes
from livevlm.training.evaluate import Marked
from livevlm.training.questions import Exchange, Footage, Rng, draw_exchange
from livevlm.training.reels import ASKABLE, draw_shots
from livevlm.training.views import View
from streams import Frame
from streams.staging import Pair

MAX_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Scenes:
    """Filmed scenes: LOOKS pictures each, one after the other, and per scene what they show."""

    images: list[npt.NDArray[np.uint8]]
    views: list[list[View]]


def film(rng: Rng, count: int, pairs: Sequence[Pair], side: int) -> Scenes:
    """So many new scenes out of the pairs."""
    return Scenes(*film_scenes(rng, count, pairs, side))


def sit(
    backbone: Backbone,
    config: Config,
    scenes: Scenes,
    rng: Rng,
    *,
    frames: int,
    types: Sequence[str],
    repeats: int = 1,
) -> Iterator[Marked]:
    """Show one recording of so many frames, a second apart, and ask each type so often where the recording allows it; the
    wordings are those that training never used.
    """
    shown, looks, cuts = draw_shots(rng, frames, len(scenes.views))
    views = [scenes.views[scene][look] for scene, look in zip(shown, looks, strict=True)]
    stamps = [clock_text(number) for number in range(frames)] if config.ingest.timestamps else None
    footage = Footage(views, cuts, stamps)
    asked = [
        exchange
        for type_ in types
        for _ in range(repeats)
        if (exchange := draw_exchange(rng, footage, type_, ASKABLE[type_], unsaid=True))
    ]
    pictures = [
        scenes.images[scene * LOOKS + look] for scene, look in zip(shown, looks, strict=True)
    ]
    for exchange, text in zip(asked, _answers(backbone, config, pictures, asked), strict=True):
        yield Marked(exchange, frames, text.strip() == exchange.answer)


def _answers(
    backbone: Backbone,
    config: Config,
    pictures: Sequence[npt.NDArray[np.uint8]],
    asked: Sequence[Exchange],
) -> list[str]:
    """What the engine says to the questions after the last picture."""
    frames = [
        Frame(STREAM, number, float(number), float(number), picture)
        for number, picture in enumerate(pictures)
    ]
    feed = Feed(frames)
    engine = build_engine(backbone, config, [stream_of(feed, "exam")], Metrics())
    plain = Question(id="", stream=STREAM, text="?", max_tokens=MAX_TOKENS)
    questions = [
        TimedQuestion(len(pictures), replace(plain, id=str(number), text=exchange.question))
        for number, exchange in enumerate(asked)
    ]
    said = [answer.text for _, answer in replay(engine, feed, questions)]
    engine.close()
    return said
