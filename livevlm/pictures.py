"""Pictures: which of a stream's frames are shown as evidence, and which one was in view at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from memory import Archive, Recall, Span, TimeSpan


def pictured(
    spans: Sequence[Span], recall: Recall, mass: Tensor, archive: Archive | None
) -> list[int | None]:
    """For each span of evidence the number of the frame in it that got the most attention (L, N); None where the archive has
    no picture of it.
    """
    if archive is None:
        return [None] * len(spans)
    video = slice(recall.tiers.prompt, None)
    numbers, place = torch.unique(recall.frames[:, video], return_inverse=True)
    place = place.flatten()
    weights = mass[:, video].double().cpu().flatten()
    share = torch.zeros(len(numbers), dtype=torch.float64).scatter_add_(0, place, weights)
    times = torch.zeros(len(numbers), dtype=torch.float64)
    times.scatter_(0, place, recall.times[:, video].flatten())  # all tokens of a frame have one
    found = []
    for one in spans:
        inside = (times >= one.from_s) & (times <= one.to_s)
        best = int(numbers[torch.where(inside, share, -1.0).argmax()])
        found.append(None if archive.picture(best) is None else best)
    return found


def frame_at(archive: Archive, span: TimeSpan) -> int | None:
    """The number of the archived frame nearest to the middle of a span of stream seconds, if one is inside of it."""
    middle = (span[0] + span[1]) / 2
    end = archive.end_number
    every, before = archive.pages(None, end), archive.pages((-torch.inf, middle), end)
    # The frame is on the last page that ends by then, or on the one behind it, or behind the last page.
    near = range(max(every.start, before.stop - 1), min(every.stop, before.stop + 1))
    ids = torch.tensor([list(near)], dtype=torch.long)
    seen = archive.tail(None, end)
    times, frames = seen.times[0], seen.frames[0]
    if len(near):
        page = archive.read(ids.expand(seen.times.shape[0], -1))
        times, frames = torch.cat((page.times[0], times)), torch.cat((page.frames[0], frames))
    inside = (times >= span[0]) & (times <= span[1])
    if not inside.any():
        return None
    distance = torch.where(inside, (times - middle).abs(), torch.inf)
    return int(frames[distance.argmin()])
