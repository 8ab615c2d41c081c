"""Searching: where in a stream something was seen, by the archive's pages alone; nothing is read and nothing is said.

A page's share is what the question would give it of its attention, were each page one token with its mean key: the softmax over
pages of the mean of all layers' logits or, where each layer chooses its own pages, the mean of all layers' softmax. That ranks
as Position-agnostic Retrieval does, but over everything that the archive holds. An answer's own attention is a worse guide to
the past: it goes to the newest frames whatever is asked.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from livevlm.messages import Evidence
from memory import Archive, StreamMemory, TimeSpan
from memory.pages import pooled_query

PAGES = 256  # the best of each layer that shares are given to
LEAST_READ, READ_A_FRAME = 64, 16  # how many of them are looked at for their frames


def search_archive(
    stream: str,
    memory: StreamMemory,
    query: Tensor,
    *,
    span: TimeSpan | None,
    limit: int,
) -> tuple[Evidence, ...]:
    """The `limit` frames that fit a question's pooled query (L, G, D) best, neighbours joined into spans, best first.

    None where there is no archive, or no page of it lies wholly inside the span. The newest tokens, which fill no page yet, are
    passed over.
    """
    archive = memory.archive
    if archive is None:
        return ()
    pages = archive.pages(span, archive.end_number)
    if len(pages) == 0:
        return ()
    found = archive.search(query.flatten(1), min(PAGES, len(pages)), pages)
    shares = (found.scores.double() / math.sqrt(query.shape[-1])).softmax(1) / len(query)
    ids, place = torch.unique(found.pages, return_inverse=True)
    weights = torch.zeros(len(ids), dtype=torch.float64)
    weights.scatter_add_(0, place.flatten(), shares.flatten())
    best = weights.topk(min(len(ids), max(LEAST_READ, READ_A_FRAME * limit))).indices
    seen = archive.read(ids[best][None])
    each = (weights[best] / archive.page_tokens).repeat_interleave(archive.page_tokens)
    numbers, place = torch.unique(seen.frames[0], return_inverse=True)
    share, times, utcs = torch.zeros(3, len(numbers), dtype=torch.float64)
    share.scatter_add_(0, place, each)
    times.scatter_(0, place, seen.times[0])  # all tokens of a frame have one
    utcs.scatter_(0, place, seen.utcs[0])
    newest = _first_short(memory)
    frames = []
    for one in share.topk(min(limit, len(numbers))).indices.sort().values.tolist():
        frame, at, utc = int(numbers[one]), float(times[one]), float(utcs[one])
        frames.append(
            Evidence(
                stream=stream,
                from_s=at,
                to_s=at,
                from_utc=utc,
                to_utc=utc,
                score=float(share[one]),
                tier="archive" if newest is None or frame < newest else "short",
                picture=frame,
            )
        )
    return _joined(frames, archive)


def pooled(queries: Tensor, kv_heads: int) -> Tensor:
    """A question's queries (L, H, N, D) -> the mean one of each kv head (L, G, D)."""
    return pooled_query(queries, kv_heads).reshape(len(queries), kv_heads, -1)


def _first_short(memory: StreamMemory) -> int | None:
    tiers = memory.tiers
    return int(memory.frames[0, tiers.prompt + tiers.long]) if tiers.short else None


def _joined(frames: list[Evidence], archive: Archive) -> tuple[Evidence, ...]:
    """Frames in stream order -> spans, best first, each with the picture of its best frame, if that is kept."""
    spans: list[list[Evidence]] = []
    for one in frames:
        last = spans[-1][-1] if spans else None
        if last is not None and last.tier == one.tier and last.picture == (one.picture or 0) - 1:
            spans[-1].append(one)
        else:
            spans.append([one])
    whole = [_span(part, archive) for part in spans]
    return tuple(sorted(whole, key=lambda one: one.score, reverse=True))


def _span(part: list[Evidence], archive: Archive) -> Evidence:
    best = max(part, key=lambda one: one.score).picture
    assert best is not None
    return replace(
        part[0],
        to_s=part[-1].to_s,
        to_utc=part[-1].to_utc,
        score=sum(one.score for one in part),
        picture=None if archive.picture(best) is None else best,
    )
