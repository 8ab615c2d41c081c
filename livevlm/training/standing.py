"""Standing: teach a frame's tokens where in the stream they stand.

To say what came after the red car, the first frame of a shot has to know what was shown right before it; to say which of
two things came first, frames have to know how early they are; to say when, at what time. Answers alone teach this slowly:
few questions ask for it, and each asks it of a few frames. This loss asks all frames at once, as the vision stage asks all
tokens for what lies there: linear heads, thrown away afterwards, read it from every token's state in the lower layers. A
question that looks for "right after the red car" then finds the very tokens that say what is there; asked of a frame's mean
alone, tokens beside them learn it, and nothing is found (docs/log.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from livevlm.training.layout import Batch
from livevlm.training.reels import Reels
from streams.scene import COLOURS, KINDS

NAMES = (*KINDS, *COLOURS)
FARTHEST = 64  # frames of the longest stream


@dataclass(frozen=True, slots=True)
class Standings:
    """Which kinds and colours (B, F, NAMES) were shown in the frame before, which frames (B, F) follow a cut and are asked for
    that, and how far (F,) into the stream a frame is, in logarithms: 0 the first one, 1 the last one of the longest stream.
    """

    before: Tensor
    cut: Tensor
    depth: Tensor

    def to(self, device: torch.device) -> Standings:
        """The same on a device."""
        return Standings(self.before.to(device), self.cut.to(device), self.depth.to(device))


def standings(reels: Reels) -> Standings:
    """How the frames of those streams stand; no frame is asked for one in which something was half in view."""
    count, frames = reels.scenes.shape
    before = torch.zeros(count, frames, len(NAMES))
    cut = torch.zeros(count, frames, dtype=torch.bool)
    for row, footage in enumerate(reels.footage):
        for frame in range(1, frames):
            view = footage.views[frame - 1]
            cut[row, frame] = footage.shots[frame - 1] != footage.shots[frame] and not view.vague
            for name in {name for thing in view.things for name in thing.pair}:
                before[row, frame, NAMES.index(name)] = 1.0
    depth = torch.arange(frames).float().log1p() / math.log(FARTHEST)
    return Standings(before, cut, depth)


class StandingLoss(nn.Module):
    """Heads that read a frame's standing from each of its tokens' states."""

    def __init__(self, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.before = nn.Linear(hidden, len(NAMES))
        self.depth = nn.Linear(hidden, 1)
        self.stamp = nn.Linear(hidden, vocabulary)

    def forward(
        self, states: Tensor, wanted: Standings, batch: Batch
    ) -> tuple[Tensor, dict[str, float]]:
        """states (B, S, hidden). The loss, and what share of the names before a cut is told, if there is one."""
        frames = wanted.cut.shape[1]
        tokens = states[:, batch.pixels].float().unflatten(1, (frames, -1))  # type: ignore[no-untyped-call]
        depth = self.depth(tokens).squeeze(-1)
        loss = 10 * nn.functional.smooth_l1_loss(depth, wanted.depth[:, None].expand_as(depth))
        figures = {}
        if wanted.cut.any():
            said = self.before(tokens[wanted.cut])
            names = wanted.before[wanted.cut].unsqueeze(1).expand_as(said)
            asked = nn.functional.binary_cross_entropy_with_logits(said, names, reduction="none")
            loss = loss + asked.sum(-1).mean()
            figures["before"] = float(((said > 0) & (names > 0)).sum() / names.sum().clamp_min(1))
        stamps = batch.ids[:, (batch.frame_of >= 0) & ~batch.pixels].unflatten(1, (frames, -1))  # type: ignore[no-untyped-call]
        if stamps.shape[-1]:
            logs = self.stamp(tokens).log_softmax(-1)
            sought = stamps.unsqueeze(2).expand(*logs.shape[:3], -1)
            loss = loss - logs.gather(-1, sought).mean()
        return loss, figures | {"standing": float(loss.detach())}
