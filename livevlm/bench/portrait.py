"""Pictures of a memory at work, drawn from a real run: what Vision Sink Bucketing kept, and which pages questions read.

`python -m livevlm.bench.portrait --out docs` films ten minutes of known content, lets the model watch them, asks about things
that were shown for seconds, and writes memory_kept.svg and memory_read.svg.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from livevlm.answer import question_queries
from livevlm.backbone import Backbone
from livevlm.bench.newstream import new_stream
from livevlm.bench.report import arguments, report
from livevlm.models import load_backbone
from livevlm.training.bank import LOOKS, film_scenes
from livevlm.training.questions import Exchange, Footage, Rng, draw_exchange
from livevlm.training.reels import ASKABLE, draw_shots
from memory import Recall, StreamMemory
from streams import Frame
from streams.scene import PAIRS

Image = npt.NDArray[np.uint8]
CHUNK = 4
ASKED = ("past_colour", "past_thing", "past_sign", "past_did")
SHOWN = 10  # pictures above the timelines


@dataclass(frozen=True, slots=True)
class Watched:
    """A stream that was watched: its pictures, one a second, what they show, and the memory of it."""

    images: list[Image]
    footage: Footage
    memory: StreamMemory


def main(argv: Sequence[str]) -> int:
    """Watch, ask and draw."""
    parser = arguments("portrait", __doc__ or "")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    rng = np.random.default_rng(options.seed)
    seen = watch(backbone, rng, options.frames)
    asked = questions(rng, seen.footage)
    recalls = [recalled(backbone, seen.memory, one.question) for one in asked]
    # The same run gives the same files.
    with matplotlib.rc_context({"svg.hashsalt": "livevlm", "svg.fonttype": "none"}):
        for name, figure in (
            ("memory_kept", draw_kept(seen)),
            ("memory_read", draw_read(seen, asked, recalls)),
        ):
            figure.savefig(options.out / f"{name}.svg", metadata={"Date": None}, dpi=100)
    rows = [
        {"question": one.question, "asked_of_s": one.frames[0], "hit": hit(one, recall), "tokens_read": len(recall)}
        for one, recall in zip(asked, recalls, strict=True)
    ]  # fmt: skip
    report("portrait", {"frames": options.frames, "seed": options.seed}, rows, as_json=options.json)
    return 0


def watch(backbone: Backbone, rng: Rng, frames: int) -> Watched:
    """Show the model that many seconds of new scenes."""
    images, views = film_scenes(rng, frames // 6, PAIRS, backbone.frame_size[0])
    shown, looks, cuts = draw_shots(rng, frames, len(views))
    pictures = [images[scene * LOOKS + look] for scene, look in zip(shown, looks, strict=True)]
    footage = Footage(
        [views[scene][look] for scene, look in zip(shown, looks, strict=True)], cuts, None
    )
    ingest = new_stream(backbone, chunk=CHUNK)
    whole = [
        Frame("portrait", number, float(number), float(number), picture)
        for number, picture in enumerate(pictures)
    ]
    for start in range(0, frames, CHUNK):
        ingest.add(whole[start : start + CHUNK])
    return Watched(pictures, footage, ingest.memory)


def questions(rng: Rng, footage: Footage, count: int = 4) -> list[Exchange]:
    """Questions about what was shown for at most ten seconds, not in the last minute."""
    found: list[Exchange] = []
    for _ in range(400):
        for type_ in ASKED:
            one = draw_exchange(rng, footage, type_, ASKABLE[type_], unsaid=True)
            fresh = one is not None and one.type not in {other.type for other in found}
            if (
                one
                and fresh
                and 0 < len(one.frames) <= 10
                and one.frames[-1] < len(footage.views) - 60
            ):
                found.append(one)
        if len(found) == count:
            break
    return found


@torch.inference_mode()
def recalled(backbone: Backbone, memory: StreamMemory, question: str) -> Recall:
    """What the question reads."""
    return memory.recall(question_queries(backbone, memory, backbone.codec.encode(question)))


def hit(asked: Exchange, recall: Recall) -> float:
    """The share of the layers that read a frame which holds the answer."""
    wanted = torch.tensor(asked.frames)
    return float(torch.isin(recall.frames, wanted).any(1).float().mean())


def draw_kept(seen: Watched) -> Figure:
    """Per layer and frame, how many tokens are on the device."""
    layers, frames = seen.memory.frames.shape[0], len(seen.images)
    counts = np.zeros((layers, frames), np.int64)
    for layer, numbers in enumerate(seen.memory.frames):
        counts[layer] = np.bincount(numbers[numbers >= 0].numpy(), minlength=frames)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    strip, axis = figure.subplots(2, 1, height_ratios=(1, 2))
    _film(strip, seen.images)
    shown = axis.imshow(
        counts,
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
        extent=(0, frames, layers + 0.5, 0.5),
    )
    axis.set(xlabel="stream time, s", ylabel="layer", yticks=range(1, layers + 1))
    figure.colorbar(shown, ax=axis, label="tokens kept of a frame")
    return figure


def draw_read(seen: Watched, asked: Sequence[Exchange], recalls: Sequence[Recall]) -> Figure:
    """Per question, where in the stream each layer read; the frames that hold the answer are marked."""
    frames = len(seen.images)
    figure = Figure(figsize=(10, 1.4 + 1.5 * len(asked)), layout="constrained")
    strip, *axes = figure.subplots(1 + len(asked), 1, height_ratios=(1, *[1.2] * len(asked)))
    _film(strip, seen.images)
    for axis, one, recall in zip(axes, asked, recalls, strict=True):
        for frame in one.frames:
            axis.axvspan(frame, frame + 1, color="tab:red", alpha=0.3, lw=0)
        for layer, numbers in enumerate(recall.frames, start=1):
            read = np.unique(numbers[numbers >= 0].numpy())
            axis.scatter(read, np.full(len(read), layer), s=5, marker="s", color="tab:blue", lw=0)
        axis.set(xlim=(0, frames), ylim=(len(recall.frames) + 0.6, 0.4), ylabel="layer")
        axis.set_title(f"{one.question}  ({one.answer})", fontsize=9, loc="left")
    axes[-1].set(xlabel="stream time, s")
    return figure


def _film(axis: Axes, images: Sequence[Image]) -> None:
    """Some pictures of the stream, side by side, each where it was shown."""
    step = len(images) // SHOWN
    axis.imshow(
        np.concatenate([images[place * step + step // 2] for place in range(SHOWN)], axis=1)
    )
    axis.set_axis_off()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
