"""`livevlm bench NAME`: run a benchmark, or all of them. The last line of standard output is one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from livevlm.cli import fail, run_module
from livevlm.layers import nearest

BENCHMARKS = {
    "ingest": "how many frames a second become memory; with --cameras N: real RTSP cameras",
    "batches": "whether streams that share a batch are taken in faster",
    "answer": "how fast answers come, and how that depends on the length of the stream",
    "askers": "many questions at once: tokens a second, how long each waits, and ingest beside",
    "recording": "half an hour of known content, replayed from an encoded file and asked about",
    "memory": "what memory costs in bytes, against keeping everything",
    "soak": "a simulated day: resident memory, and what became of every picture",
    "crashes": "what is lost when the process is killed, again and again",
    "index": "ways to find the archive's pages: what they find, how fast, at what cost",
    "load": "many clients on a few live streams: first tokens, lost questions, ingest meanwhile",
    "watches": "what looking only where the picture has changed saves and misses",
    "quality": "what memories answer right, hours later, against what they cost",
}


def main(argv: Sequence[str]) -> int:
    """Hand over to `livevlm.bench.NAME`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage(), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name == "all":
        return max(_run(each, rest) for each in BENCHMARKS)
    if name not in BENCHMARKS:
        return fail(f"unknown benchmark {name!r}{nearest(name, [*BENCHMARKS, 'all'])}", 2)
    return _run(name, rest)


def usage() -> str:
    """The help of the verb."""
    names = "\n".join(f"  {name:<10}{text}" for name, text in BENCHMARKS.items())
    return (
        f"usage: livevlm bench NAME ...\n\n{__doc__}\n\n{names}\n  all       each of them\n\n"
        "`livevlm bench NAME --help` tells more of each."
    )


def _run(name: str, argv: Sequence[str]) -> int:
    print(f"== {name}", file=sys.stderr)
    return run_module(f"livevlm.bench.{name}", argv)
