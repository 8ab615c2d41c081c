"""What a question about now reads: the pinned prompt and the newest frames, exactly."""

from __future__ import annotations

import torch

from memory import PositionAgnosticRetrieval, StreamMemory, Tiers, VisionSinkBucketing
from tests.memory.making import archive, block, memory


def filled() -> StreamMemory:
    """Twenty frames over a small budget, with an archive."""
    store = memory(
        VisionSinkBucketing(), PositionAgnosticRetrieval(16, 4), budget=16, archive=archive()
    )
    for number in range(20):
        store.append(block(1, first=number))
    return store


def test_only_the_prompt_and_the_newest_frames_are_read() -> None:
    """Nothing older takes part, neither of the device nor of the archive, and what is read is exact."""
    store = filled()
    found = store.recent()
    assert found.tiers == Tiers(prompt=3, long=0, short=16)
    assert found.frames[0, 3:].unique().tolist() == [16, 17, 18, 19]
    context = store.context()
    assert torch.equal(found.keys[:, :, :3], context.keys[:, :, :3])
    assert torch.equal(found.keys[:, :, 3:], context.keys[:, :, -16:])
    assert torch.equal(found.values[:, :, 3:], context.values[:, :, -16:])


def test_looking_changes_nothing() -> None:
    """The memory is the same afterwards, and later frames do not change what was read."""
    store = filled()
    before = [part.clone() for part in (store.context().keys, store.context().values)]
    found = store.recent()
    kept = found.keys.clone()
    assert torch.equal(store.context().keys, before[0])
    assert torch.equal(store.context().values, before[1])
    store.append(block(4, first=20))
    assert torch.equal(found.keys, kept)


def test_before_the_first_frame_there_is_the_prompt_alone() -> None:
    """Nothing fails; nothing of a video is read."""
    store = memory(VisionSinkBucketing(), PositionAgnosticRetrieval(16, 4))
    assert store.recent().tiers == Tiers(prompt=3, long=0, short=0)
