"""Train the bundled model: `python -m livevlm.training --out FOLDER`.

The folder keeps a log, the figures and the snapshots; a run that was broken off goes on where it was, and ends as if it
had run through.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer
from livevlm.training.attention import use_plain_attention
from livevlm.training.corpus import CLOCK, corpus
from livevlm.training.evaluate import as_json, examine, table
from livevlm.training.language import LAST, train_language
from livevlm.training.pairing import SEEN, UNSEEN
from livevlm.training.places import train_places
from livevlm.training.recall import RecallLoss
from livevlm.training.run import Run
from livevlm.training.standing import StandingLoss, asked_layer
from livevlm.training.vision import Probe, train_vision


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m livevlm.training", description=__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the checkpoint, the snapshots and the log",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="go on from this checkpoint: the stages `fresh`, `places` and `last` alone",
    )
    parser.add_argument("--vision-steps", type=int, default=5000)
    parser.add_argument("--fresh-steps", type=int, default=2600, help="of vision, on new pictures")
    parser.add_argument(
        "--places-steps", type=int, default=1200, help="of lower layers, on frames alone"
    )
    parser.add_argument(
        "--new-layers",
        type=int,
        nargs="*",
        default=[],
        help="layers of --start that learn in the stage `places` (livevlm.training.widen adds them); none: without that stage",
    )
    parser.add_argument("--language-steps", type=int, default=4500)
    parser.add_argument("--last-steps", type=int, default=4200, help="with more wordings")
    parser.add_argument(
        "--horizon",
        type=int,
        default=5500,
        help="language steps over which the learning rate falls, if more than are taken",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save-every", type=int, default=500, help="steps between snapshots")
    return parser.parse_args(argv)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the last stage begins with."""

    model: LlavaOnevisionForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    standing: StandingLoss | None = None
    recall: RecallLoss | None = None


def begun(options: argparse.Namespace, run: Run) -> Begun:
    """The outcome of the stages before the last one, or of the checkpoint that was named."""
    seed = options.seed
    if options.start is not None:
        model = LlavaOnevisionForConditionalGeneration.from_pretrained(
            options.start, dtype=torch.float32
        )
        use_plain_attention(model)
        tokenizer = AutoTokenizer.from_pretrained(options.start)
        _see_afresh(options, run, model.train(), None)
        return Begun(model, tokenizer, _placed(options, run, model, tokenizer, options.new_layers))
    shape = SHAPES["glance"]
    tokenizer = build_tokenizer(corpus(), shape.vocab, CLOCK)
    model = build_model(shape, tokenizer, torch.float32).train()
    use_plain_attention(model)
    probe = train_vision(model, run, steps=options.vision_steps, seed=seed, pairs=SEEN)
    _see_afresh(options, run, model, probe)
    lower = range(asked_layer(shape.layers) + 1)
    standing = _placed(options, run, model, tokenizer, lower)
    recall = train_language(
        model,
        tokenizer,
        run,
        steps=options.language_steps,
        horizon=max(options.horizon, options.language_steps),
        seed=seed + 1,
        pairs=SEEN,
        standing=standing,
    )
    return Begun(model, tokenizer, standing, recall)


def _placed(
    options: argparse.Namespace,
    run: Run,
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    layers: Sequence[int],
) -> StandingLoss | None:
    if not layers:
        return None
    steps, seed = options.places_steps, options.seed + 10
    return train_places(model, tokenizer, run, steps=steps, seed=seed, pairs=SEEN, layers=layers)


def _see_afresh(
    options: argparse.Namespace,
    run: Run,
    model: LlavaOnevisionForConditionalGeneration,
    probe: Probe | None,
) -> None:
    """No picture twice, and some in false colours."""
    train_vision(
        model,
        run,
        steps=options.fresh_steps,
        seed=options.seed + 4,
        pairs=SEEN,
        name="fresh",
        reuse=1,
        peak=1.5e-3,
        probe=probe,
        false_colours=0.35,
    )


def ended(options: argparse.Namespace, run: Run, begun: Begun) -> None:
    """The last stage: streams of all lengths, and all wordings but those that are held out."""
    train_language(
        begun.model,
        begun.tokenizer,
        run,
        steps=options.last_steps,
        horizon=options.last_steps,
        seed=options.seed + 5,
        pairs=SEEN,
        blocks=30,
        peak=1.5e-3,
        curriculum=LAST,
        name="last",
        recall=begun.recall,
        standing=begun.standing,
    )


def main(argv: list[str]) -> int:
    """Train, evaluate, and write the checkpoint."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    run = Run(
        out=options.out,
        device=torch.device(options.device),
        precision=options.precision,
        save_every=options.save_every,
    )
    start = begun(options, run)
    ended(options, run, start)
    seed, model, tokenizer = options.seed, start.model.eval(), start.tokenizer
    seen = examine(model, tokenizer, run, seed=seed + 2, pairs=SEEN)
    unseen = examine(model, tokenizer, run, seed=seed + 3, pairs=UNSEEN, lengths=(4, 16))
    run.log(table(seen, unseen))
    run.log(as_json({"seen": seen, "unseen": unseen}))
    save_checkpoint(model.to(torch.bfloat16), tokenizer, options.out / "checkpoint")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
