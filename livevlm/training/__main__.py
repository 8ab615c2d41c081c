"""Train the bundled model: `python -m livevlm.training --out FOLDER`.

Each stage leaves its weights in the folder; a run that was broken off goes on after the last finished stage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from transformers import (
    AutoTokenizer,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer
from livevlm.training.evaluate import evaluate
from livevlm.training.language import LONG, corpus, train_language
from livevlm.training.vision import train_vision

Log = Callable[[str], None]


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m livevlm.training", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the checkpoint, the stages and the log"
    )
    parser.add_argument(
        "--start", type=Path, help="go on from this checkpoint: the last stage alone"
    )
    parser.add_argument("--vision-steps", type=int, default=3400)
    parser.add_argument("--language-steps", type=int, default=3600)
    parser.add_argument("--long-steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


def stage(
    model: LlavaOnevisionForConditionalGeneration, path: Path, train: Callable[[], None], log: Log
) -> None:
    """Run a stage and save its weights, or load them where an earlier run finished it."""
    if path.exists():
        load_model(model, path)
        log(f"{path.stem}: already done")
        return
    train()
    save_model(model, str(path))


def _started(
    options: argparse.Namespace, log: Log
) -> tuple[LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast]:
    """What the last stage begins with: the first two stages' outcome, or the checkpoint that was named."""
    seed, out = options.seed, options.out
    if options.start is not None:
        model = LlavaOnevisionForConditionalGeneration.from_pretrained(
            options.start, dtype=torch.float32
        )
        return model.train(), AutoTokenizer.from_pretrained(options.start)
    tokenizer = build_tokenizer(corpus(), SHAPES["glance"].vocab)
    model = build_model(SHAPES["glance"], tokenizer, torch.float32).train()

    def see() -> None:
        train_vision(model, steps=options.vision_steps, seed=seed, log=log)

    def read() -> None:
        train_language(model, tokenizer, steps=options.language_steps, seed=seed + 1, log=log)

    stage(model, out / "stage-vision.safetensors", see, log)
    stage(model, out / "stage-language.safetensors", read, log)
    return model, tokenizer


def main(argv: list[str]) -> int:
    """Train, evaluate, and write the checkpoint."""
    options = parse(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    with (options.out / "train.log").open("a", encoding="utf-8") as file:

        def log(line: str) -> None:
            print(line, flush=True)
            print(line, file=file, flush=True)

        model, tokenizer = _started(options, log)

        def lengthen() -> None:
            train_language(
                model,
                tokenizer,
                steps=options.long_steps,
                seed=options.seed + 2,
                peak=1e-3,
                lengths=LONG,
                easy_share=0.0,
                log=log,
            )

        stage(model, options.out / "stage-long.safetensors", lengthen, log)
        save_checkpoint(model.to(torch.bfloat16).eval(), tokenizer, options.out / "checkpoint")
        log(evaluate(model.float().eval(), tokenizer, seed=options.seed + 3))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
