"""The exam: a model is asked through the daemon's own engine."""

from __future__ import annotations

import numpy as np
import pytest

from livevlm.assembly import build_backbone
from livevlm.config import Config
from livevlm.training import exam
from livevlm.training.evaluate import Marked
from livevlm.training.exam import film, sit
from livevlm.training.pairing import SEEN, UNSEEN
from livevlm.training.wordings import TYPES
from streams.scene import COLOURS, KINDS, PAIRS

CONFIG = Config.model_validate({"version": 1, "model": {"name": "toy"}})


def sat(config: Config, frames: int, seed: int = 3) -> list[Marked]:
    """One recording, asked about."""
    backbone = build_backbone(config)
    rng = np.random.default_rng(seed)
    scenes = film(rng, 6, SEEN, backbone.frame_size[0])
    return list(sit(backbone, config, scenes, rng, frames=frames, types=TYPES))


def test_every_question_is_answered_by_the_engine_and_nonsense_is_wrong() -> None:
    """The toy model says nonsense: it is asked a dozen questions and gets none of them right."""
    marked = sat(CONFIG, 8)
    assert len(marked) > 6
    assert {one.frames for one in marked} == {8}
    assert not any(one.right for one in marked)


def test_an_answer_counts_when_it_is_the_right_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly the right words, but for spaces around them; one letter more is wrong."""

    def truth(*args: object) -> list[str]:
        asked = args[-1]
        assert isinstance(asked, list)
        return [f" {one.answer}\n" if n else f"{one.answer}s" for n, one in enumerate(asked)]

    monkeypatch.setattr(exam, "_answers", truth)
    marked = sat(CONFIG, 8)
    assert [one.right for one in marked] == [False] + [True] * (len(marked) - 1)


def test_only_with_timestamps_can_a_time_be_the_answer() -> None:
    """Without them nobody knows when; with them the answer is a time of the recording."""
    stamped = CONFIG.model_copy(
        update={"ingest": CONFIG.ingest.model_copy(update={"timestamps": True})}
    )
    for config, allowed in ((CONFIG, "I do not know"), (stamped, "at 0:00:0")):
        answers = {
            one.exchange.answer
            for seed in range(16)
            for one in sat(config, 6, seed)
            if one.exchange.type == "past_when"
        } - {"not seen"}
        assert answers
        assert all(answer.startswith(allowed) for answer in answers), answers


def test_pairs_are_either_shown_or_never_shown() -> None:
    """The two sets are apart and whole, and every kind and every colour is shown in some pair."""
    assert not set(SEEN) & set(UNSEEN)
    assert set(SEEN) | set(UNSEEN) == set(PAIRS)
    assert len(UNSEEN) > 20
    assert {kind for kind, _ in SEEN} == set(KINDS)
    assert {colour for _, colour in SEEN} == set(COLOURS)
