"""Standing: teach a frame's tokens where in the stream they stand.

To say what came after the red car, the first frame of a shot has to know what was shown right before it; to say which of
two things came first, frames have to know how early they are; to say when, at what time. Answers alone teach this slowly:
few questions ask for it, and each asks it of a few frames. This loss asks all frames at once, as the vision stage asks all
tokens for what lies there: linear heads, thrown away afterwards, read it from every token's state in the lower layers. A
question that looks for "right after the red car" then finds the very tokens that say what is there; asked of a frame's mean
alone, tokens beside them learn it, and nothing is found (docs/log.md). Names alone do not say which colour was whose: so of a
frame with one thing or two the last token is asked for them one by one, and behind a cut every token for those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from livevlm.training.layout import Batch
from livevlm.training.reels import Reels
from livevlm.training.views import View
from streams.scene import COLOURS, KINDS

HUES = tuple(COLOURS)
NAMES = (*KINDS, *HUES)
FARTHEST = 64  # frames of the longest stream
STAMP = 3  # tokens of a time: hour, minute, second
SLOTS = 2  # things that are told one by one, in reading order
NOBODY = -100  # of a frame that is not asked


def asked_layer(layers: int) -> int:
    """Which of so many layers' states are asked: the lower half learns what is there, the upper half what is wanted of it."""
    return max(0, layers // 2 - 1)


@dataclass(frozen=True, slots=True)
class Standings:
    """Which kinds and colours (B, F, NAMES) were shown in the frame before, which frames (B, F) follow a cut and are asked for
    that, and how many frames came before a frame (F,).

    own, prior (B, F, 2 * SLOTS): what a frame shows, and what the one before the cut showed: the first thing's kind and colour,
    then the second's, as places in KINDS and COLOURS, one past the end where there is no such thing; NOBODY where there are
    more things or not all of them are clear.
    """

    before: Tensor
    cut: Tensor
    depth: Tensor
    own: Tensor
    prior: Tensor

    def to(self, device: torch.device) -> Standings:
        """The same on a device."""
        return Standings(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def standings(reels: Reels) -> Standings:
    """How the frames of those streams stand; no frame is asked for one in which something was half in view."""
    count, frames = reels.scenes.shape
    before = torch.zeros(count, frames, len(NAMES))
    cut = torch.zeros(count, frames, dtype=torch.bool)
    own = torch.tensor([[_told(view) for view in footage.views] for footage in reels.footage])
    prior = torch.full_like(own, NOBODY)
    for row, footage in enumerate(reels.footage):
        for frame in range(1, frames):
            view = footage.views[frame - 1]
            cut[row, frame] = footage.shots[frame - 1] != footage.shots[frame] and not view.vague
            if cut[row, frame]:
                prior[row, frame] = own[row, frame - 1]
            for name in {name for thing in view.things for name in thing.pair}:
                before[row, frame, NAMES.index(name)] = 1.0
    return Standings(before, cut, torch.arange(frames), own, prior)


def _told(view: View) -> list[int]:
    """A view's things one by one, 2 * SLOTS numbers."""
    if view.vague or len(view.things) > SLOTS:
        return [NOBODY] * (2 * SLOTS)
    pairs = [(KINDS.index(thing.kind), HUES.index(thing.colour)) for thing in view.things]
    nothing = (len(KINDS), len(HUES))
    return [place for pair in [*pairs, *[nothing] * (SLOTS - len(pairs))] for place in pair]


class _Slots(nn.Module):
    """Reads the things of a frame one by one, from one state."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.sizes = [size + 1 for _ in range(SLOTS) for size in (len(KINDS), len(HUES))]
        self.told = nn.Linear(hidden, sum(self.sizes))

    def forward(self, states: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """states (N, hidden), wanted (N, 2 * SLOTS). The mean loss of a number, and what share of all numbers is right."""
        parts = self.told(states).split(self.sizes, dim=-1)
        losses = [nn.functional.cross_entropy(p, w) for p, w in zip(parts, wanted.T, strict=True)]
        right = [(p.argmax(-1) == w).float().mean() for p, w in zip(parts, wanted.T, strict=True)]
        return torch.stack(losses).mean(), float(torch.stack(right).mean())


class StandingLoss(nn.Module):
    """Heads that read a frame's standing from each of its tokens' states."""

    def __init__(self, hidden: int, vocabulary: int) -> None:
        super().__init__()
        # As the next layer does before it reads them.
        self.norm = nn.RMSNorm(hidden)
        self.before = nn.Linear(hidden, len(NAMES))
        self.depth = nn.Linear(hidden, FARTHEST)
        self.stamp = nn.Linear(hidden, STAMP * vocabulary)
        self.own = _Slots(hidden)
        self.prior = _Slots(hidden)

    def forward(
        self, states: Tensor, wanted: Standings, batch: Batch
    ) -> tuple[Tensor, dict[str, float]]:
        """states (B, S, hidden). The loss; and by how many frames the depth is missed, and what shares are told of the rest."""
        frames = wanted.cut.shape[1]
        tokens = self.norm(states[:, batch.pixels].float()).unflatten(1, (frames, -1))
        depth = self.depth(tokens)
        places = wanted.depth[:, None].expand(depth.shape[:-1])
        loss = nn.functional.cross_entropy(depth.flatten(0, -2), places.flatten())
        figures = {"depth": float((depth.argmax(-1) - places).abs().float().mean())}
        if (clear := wanted.own[..., 0] != NOBODY).any():
            # A frame's last token alone has seen all the others.
            asked, figures["own"] = self.own(tokens[clear][:, -1], wanted.own[clear])
            loss = loss + 4 * asked
        if (clear := wanted.prior[..., 0] != NOBODY).any():
            many = wanted.prior[clear].repeat_interleave(tokens.shape[2], 0)
            asked, figures["prior"] = self.prior(tokens[clear].flatten(0, 1), many)
            loss = loss + 4 * asked
        if wanted.cut.any():
            said = self.before(tokens[wanted.cut])
            names = wanted.before[wanted.cut].unsqueeze(1).expand_as(said)
            asked = nn.functional.binary_cross_entropy_with_logits(said, names, reduction="none")
            loss = loss + asked.sum(-1).mean()
            figures["before"] = float(((said > 0) & (names > 0)).sum() / names.sum().clamp_min(1))
        stamps = batch.ids[:, (batch.frame_of >= 0) & ~batch.pixels].unflatten(1, (frames, -1))  # type: ignore[no-untyped-call]
        if stamps.shape[-1]:
            said = self.stamp(tokens).unflatten(-1, (STAMP, -1))
            sought = stamps.unsqueeze(2).expand(said.shape[:-1])
            loss = loss + STAMP * nn.functional.cross_entropy(said.flatten(0, -2), sought.flatten())
            figures["stamp"] = float((said.argmax(-1) == sought).float().mean())
        return loss, figures | {"standing": float(loss.detach())}
