"""What reading earlier turns does to answers: `python -m livevlm.bench.dialogue`.

Recordings of known content go through a daemon's own engine, which is asked several questions about each; every one of them can
be answered by itself. Each is asked once alone, and then behind the questions before it with what the model answered to them.
A model that reads dialogues well gets as many right as before; what it gains by follow-ups that lean on an earlier turn is not
asked here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from livevlm.assembly import build_backbone, build_engine
from livevlm.backbone import Backbone
from livevlm.bench.report import machine, print_table
from livevlm.cli.parsing import parser_for
from livevlm.config import Config
from livevlm.messages import Exchange, Question
from livevlm.metrics import Metrics
from livevlm.replay import STREAM, Feed, TimedQuestion, replay, stream_of
from livevlm.training import questions
from livevlm.training.bank import LOOKS
from livevlm.training.exam import MAX_TOKENS, Scenes, film
from livevlm.training.pairing import SEEN
from livevlm.training.questions import Footage, Rng, draw_exchange
from livevlm.training.reels import ASKABLE, draw_shots
from streams import Frame

TYPES = (
    "now_describe",
    "now_count",
    "past_colour",
    "now_shape",
    "past_sign",
    "now_where",
    "past_did",
    "now_colour",
)


@dataclass(frozen=True, slots=True)
class Recording:
    """Frames, a second apart, and questions about them with the right answers."""

    frames: list[Frame]
    asked: list[questions.Exchange]


def main(argv: Sequence[str]) -> int:
    """Film, ask and print; 0 whatever was right."""
    parser = parser_for("bench dialogue", __doc__ or "")
    parser.add_argument("--recordings", type=int, default=40, metavar="N")
    parser.add_argument("--frames", type=int, default=16, metavar="N", help="of each recording")
    parser.add_argument("--turns", default="1,3", metavar="N,N", help="how many are read")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    options = parser.parse_args(argv)
    config = Config.model_validate({"model": {"name": options.model}})
    backbone = build_backbone(config)
    rng = np.random.default_rng(options.seed)
    scenes = film(rng, 12 * options.recordings, SEEN, backbone.frame_size[0])
    turns = [0, *map(int, options.turns.split(","))]
    right = dict.fromkeys(turns, 0)
    asked = 0
    for number in range(options.recordings):
        made = record(rng, scenes, options.frames)
        asked += len(made.asked)
        for count, hits in examine(backbone, config, made, turns).items():
            right[count] += hits
        print(f"{number + 1}/{options.recordings}", end="\r", file=sys.stderr)
    rows = [
        {"turns read": count, "right": right[count], "asked": asked, "%": round(100 * right[count] / asked, 1)}
        for count in turns
    ]  # fmt: skip
    if not options.json:
        print_table(rows)
    settings = {"frames": options.frames, "seed": options.seed, **machine(backbone.device)}
    print(json.dumps({"bench": "dialogue", **settings, "rows": rows}))
    return 0


def record(rng: Rng, scenes: Scenes, frames: int) -> Recording:
    """A recording of some of the scenes, with a question of each type that it allows."""
    shown, looks, cuts = draw_shots(rng, frames, len(scenes.views))
    places = list(zip(shown, looks, strict=True))
    footage = Footage([scenes.views[scene][look] for scene, look in places], cuts, None)
    drawn = [draw_exchange(rng, footage, type_, ASKABLE[type_], unsaid=True) for type_ in TYPES]
    pictures = [scenes.images[scene * LOOKS + look] for scene, look in places]
    return Recording(
        [Frame(STREAM, n, float(n), float(n), picture) for n, picture in enumerate(pictures)],
        [exchange for exchange in drawn if exchange is not None],
    )


def examine(
    backbone: Backbone, config: Config, made: Recording, turns: Sequence[int]
) -> dict[int, int]:
    """How many answers are right, by how many earlier turns are read; `turns` begins with 0."""
    right = {}
    earlier: list[Exchange] = []
    for count in turns:
        told = [tuple(earlier[max(0, n - count) : n]) for n in range(len(made.asked))]
        said = answers(backbone, config, made, told)
        pairs = list(zip(made.asked, said, strict=True))
        right[count] = sum(text == one.answer for one, text in pairs)
        if count == 0:
            earlier = [Exchange(question=one.question, answer=text) for one, text in pairs]
    return right


def answers(
    backbone: Backbone,
    config: Config,
    made: Recording,
    told: Sequence[tuple[Exchange, ...]],
) -> list[str]:
    """What the engine says after the last frame to each question, with what it is told of earlier ones."""
    feed = Feed(made.frames)
    engine = build_engine(backbone, config, [stream_of(feed, "dialogue")], Metrics())
    timed = [
        TimedQuestion(
            len(made.frames),
            Question(
                id=str(number),
                stream=STREAM,
                text=exchange.question,
                max_tokens=MAX_TOKENS,
                earlier=earlier,
            ),
        )
        for number, (exchange, earlier) in enumerate(zip(made.asked, told, strict=True))
    ]
    said = [answer.text.strip() for _, answer in replay(engine, feed, timed)]
    engine.close()
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
