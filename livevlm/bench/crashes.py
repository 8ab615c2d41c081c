"""What is lost when the process that remembers a stream is killed, again and again.

Every round a child opens the state directory, appends blocks and says through a pipe which of them it has appended. It is
killed (SIGKILL) at a random moment, every other time while it writes, else from its birth on. Another child opens what is left
and holds every token, on the device and in the archive, against what the stream must have been. A block that had been reported
and is missing is lost; nothing may be lost, and no start may fail. (A machine that loses its power may lose what was not yet
synced: two seconds.)
"""

from __future__ import annotations

import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from livevlm.bench.report import arguments, report
from livevlm.keeper import Keeper, restored
from memory import (
    Archive,
    ArchiveIndex,
    KVBlock,
    KVShape,
    MemoryOptions,
    PositionAgnosticRetrieval,
    Rope,
    StreamMemory,
    Vault,
    VaultOptions,
    VisionSinkBucketing,
)

SHAPE = KVShape(layers=2, heads=4, kv_heads=2, head_dim=8)
FRAMES, TOKENS = 2, 8  # of a block, of a frame
BLOCK = FRAMES * TOKENS
PICTURE = b"\xff\xd8 a picture \xff\xd9"
PATIENCE_S = 30.0  # for a child's first block
_REPORT = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Round:
    """What a killed child had reported (blocks), and what was found afterwards; `fault` says what was wrong."""

    reported: int
    found: int
    fault: str


def main(argv: Sequence[str]) -> int:
    """Kill, check and print; 1 where anything was lost or wrong."""
    parser = arguments("crashes", __doc__ or "")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--longest-ms", type=float, default=60.0, help="that a child lives at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    # A forked child must not find another thread's locks held: there is to be no other thread.
    torch.set_num_threads(1)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        rounds = [
            crash(Path(folder), rng.uniform(0, options.longest_ms / 1000), writing=turn % 2 == 0)
            for turn in range(options.rounds)
        ]
    lost = sum(max(0, one.reported - one.found) for one in rounds)
    faults = [one.fault for one in rounds if one.fault]
    row = {
        "rounds": len(rounds), "blocks": rounds[-1].found if rounds else 0, "lost_blocks": lost, "faults": len(faults),
        "killed_while_writing": sum(one.reported > 0 for one in rounds),
    }  # fmt: skip
    for fault in faults[:5]:
        print(fault, file=sys.stderr)
    report("crashes", {"seed": options.seed}, [row], as_json=options.json)
    return 1 if lost or faults else 0


def crash(folder: Path, after_s: float, *, writing: bool) -> Round:
    """One round: a child that writes, killed so many seconds after its birth or its first block, and one that looks."""
    reading, said = os.pipe()
    child = _forked(lambda: _write_for_ever(folder, said))
    os.close(said)
    if writing:
        select.select([reading], [], [], PATIENCE_S)
    select.select([], [], [], after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        reports = pipe.read()
    whole = len(reports) // _REPORT.size * _REPORT.size
    reported = _REPORT.unpack(reports[whole - _REPORT.size : whole])[0] if whole else 0
    reading, seen = os.pipe()
    child = _forked(lambda: _look(folder, seen))
    os.close(seen)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    if len(found) < _REPORT.size:
        return Round(reported, 0, found.decode(errors="replace") or "a start died")
    return Round(reported, _REPORT.unpack(found[: _REPORT.size])[0], found[_REPORT.size :].decode())


def block(number: int) -> KVBlock:
    """The stream's block of that number, always the same."""
    generator = torch.Generator().manual_seed(number)
    keys, values = torch.randn(
        2, SHAPE.layers, SHAPE.kv_heads, BLOCK, SHAPE.head_dim, generator=generator
    )
    queries = torch.randn(SHAPE.layers, SHAPE.heads, 4, SHAPE.head_dim, generator=generator)
    frames = torch.arange(number * FRAMES, (number + 1) * FRAMES).repeat_interleave(TOKENS)
    return KVBlock(keys, values, queries, frames.double(), frames.double() + 1e9, frames)


def _opened(folder: Path) -> tuple[StreamMemory, Keeper]:
    caps = VaultOptions(
        page_tokens=8,
        segment_tokens=512,
        host_bytes=1 << 20,
        disk_bytes=4 << 20,
        folder=folder / "archive",
    )
    prompt = torch.zeros(SHAPE.layers, SHAPE.kv_heads, 1, SHAPE.head_dim)
    never = torch.full((1,), -torch.inf, dtype=torch.float64)
    asked = torch.zeros(SHAPE.layers, SHAPE.heads, 1, SHAPE.head_dim)
    memory = StreamMemory(
        SHAPE,
        Rope(10_000.0 ** (-torch.arange(4) / 4)),
        KVBlock(prompt, prompt, asked, never, never, torch.full((1,), -1)),
        MemoryOptions(
            budget_tokens=64, short_term_frames=4, append_tokens=BLOCK, frame_tokens=TOKENS
        ),
        retention=VisionSinkBucketing(),
        reader=PositionAgnosticRetrieval(32, 8),
        archive=Archive(
            Vault(SHAPE, torch.float32, caps),
            ArchiveIndex(SHAPE.layers, SHAPE.kv_heads * SHAPE.head_dim),
        ),
    )
    return memory, restored("crash", folder / "memory", memory, time.monotonic)


def _write_for_ever(folder: Path, pipe: int) -> None:
    memory, keeper = _opened(folder)
    while True:
        # The prompt's token came first.
        number = (memory.appended - 1) // BLOCK
        one = block(number)
        keeper.append(memory, one, {frame: PICTURE for frame in set(one.frames.tolist())})
        os.write(pipe, _REPORT.pack(number + 1))


def _look(folder: Path, pipe: int) -> None:
    memory, keeper = _opened(folder)
    count, rest = divmod(memory.appended - 1, BLOCK)
    fault = f"{rest} tokens too many" if rest else _fault(memory, count)
    keeper.close(memory)
    os.write(pipe, _REPORT.pack(count) + fault.encode())


def _fault(memory: StreamMemory, count: int) -> str:
    """What is wrong with the device's tokens or with the archive's newest pages; nothing, as it should be."""
    state = memory.state()[1]
    for layer in range(SHAPE.layers):
        for place in range(1, state["keys"].shape[2]):
            whose, token = divmod(int(state["numbers"][layer, place]) - 1, BLOCK)
            if not torch.equal(state["keys"][layer, :, place], block(whose).keys[layer, :, token]):
                return f"token {token} of block {whose} is another on the device"
    archive = memory.archive
    assert archive is not None
    if count == 0:
        return ""
    if archive.end_number != memory.appended:
        return f"the archive ends at token {archive.end_number}, the memory at {memory.appended}"
    pages = archive.pages(None, archive.end_number)[-40:]
    found = archive.read(torch.tensor(pages).expand(SHAPE.layers, -1))
    for place, number in enumerate(found.numbers[0].tolist()):
        whose, token = divmod(number - 1, BLOCK)
        if not torch.equal(found.values[:, :, place], block(whose).values[:, :, token]):
            return f"token {token} of block {whose} is another in the archive"
    return "" if len(pages) else "the archive is empty"


def _forked(work: Callable[[], None]) -> int:
    """A child that does the work and ends; what goes wrong it writes to standard error."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    finally:
        # Nothing of the parent's may be ended or flushed twice.
        os._exit(0)
