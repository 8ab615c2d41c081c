"""Where along stream time each tier of a memory lies, for those who want to see it."""

from __future__ import annotations

import torch

from livevlm.messages import Tier, TierSpan
from memory import StreamMemory

# In how many stretches the long-term tier is counted: as many as can be told apart on a small screen.
MOST_STRETCHES = 48


def tier_spans(memory: StreamMemory) -> dict[Tier, TierSpan]:
    """The spans of all tiers that are not empty; of the long-term one also how densely it is filled, which is what retention
    decides.
    """
    spans: dict[Tier, TierSpan] = {}
    tiers, times = memory.tiers, memory.times
    video, short = tiers.prompt, tiers.prompt + tiers.long
    if tiers.short:
        newest = times[:, short:]
        spans["short"] = TierSpan(from_s=float(newest.min()), to_s=float(newest.max()))
    if tiers.long:
        spans["long"] = _counted(times[:, video:short])
    archived = None if memory.archive is None else memory.archive.stats()
    if archived is not None and archived.from_s is not None and archived.to_s is not None:
        spans["archive"] = TierSpan(from_s=archived.from_s, to_s=archived.to_s)
    return spans


def _counted(times: torch.Tensor) -> TierSpan:
    """The span of times (L, N), and how many of them fall into each of its stretches, which are no shorter than a frame."""
    start, end = float(times.min()), float(times.max())
    stretches = min(MOST_STRETCHES, len(torch.unique(times)))
    place = ((times - start) * (stretches / max(end - start, 1e-9))).long()
    counts = torch.bincount(place.clamp(0, stretches - 1).flatten(), minlength=stretches)
    tokens = (counts.double() / len(times)).round().long().tolist()
    return TierSpan(from_s=start, to_s=end, tokens=tuple(tokens))
