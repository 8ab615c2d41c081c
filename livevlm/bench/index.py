"""Ways to index the archive's pages: what each finds of what exact search finds, how fast, and what it costs.

Pages and questions are drawn (below), not taken from a model. One layer is indexed; for a model multiply by its layers. Kinds:

- flat: every page is looked at; exact.
- archive: what the archive uses, memory.archive.index, with its defaults.
- ivf: FAISS's inverted lists, trained on the first quarter: trained again whenever it has grown fourfold, just before that.
- ivf-whole: the same just after, trained on all it holds.
- ivf-sq8, ivf-fp16: ivf-whole with numbers of one byte, and of two.
- hnsw: FAISS's graph of neighbours.

All ivf kinds look into a twentieth of their lists, which is the archive's share as well.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from livevlm.bench.report import arguments, machine, numbers, report
from memory.archive.index import ArchiveIndex

Floats = NDArray[np.float32]
Search = Callable[[Floats, int, int, int], NDArray[np.int64]]

MOST_BYTES = (
    1 << 28
)  # of one layer's vectors: a million pages of 64 numbers, a hundred thousand of 512
SHARE = 0.05
SCENE_PAGES = 60  # on average
FACTORY = {
    "flat": "Flat",
    "ivf": "IVF{lists},Flat",
    "ivf-whole": "IVF{lists},Flat",
    "ivf-sq8": "IVF{lists},SQ8",
    "ivf-fp16": "IVF{lists},SQfp16",
    "hnsw": "HNSW32",
}
KINDS = ("archive", *FACTORY)


@dataclass(frozen=True, slots=True)
class Task:
    """Pages (P, E), questions (Q, E), and how many pages a question reads."""

    pages: Floats
    questions: Floats
    count: int

    def ranges(self, part: float) -> list[tuple[int, int]]:
        """For each question a range of time that holds this part of the pages, anywhere in the stream."""
        total = len(self.pages)
        length = max(self.count, round(part * total))
        starts = np.random.default_rng(2).integers(0, total - length + 1, len(self.questions))
        return [(int(start), int(start) + length) for start in starts]


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    options = parse(argv)
    faiss.omp_set_num_threads(options.threads or torch.get_num_threads())
    rows: list[dict[str, Any]] = []
    for dim in options.dims:
        for total in options.pages:
            if total * dim * 4 > MOST_BYTES:
                print(
                    f"{total} pages of {dim} numbers are left out: too many bytes", file=sys.stderr
                )
                continue
            task = draw(total, dim, count=options.count, questions=options.questions)
            for kind in options.kinds.split(","):
                rows += measure(kind, task, options.parts)
    settings = {
        "count": options.count, "questions": options.questions, "layers": 1, "faiss": faiss.__version__,
        "faiss_threads": faiss.omp_get_max_threads(), **machine(torch.device("cpu")),
    }  # fmt: skip
    report("index", settings, rows, as_json=options.json)
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line. What all benchmarks take is taken; no model is loaded and the host does the work."""
    parser = arguments("index", __doc__ or "")
    parser.add_argument("--pages", type=numbers, default=numbers("10000,100000,1000000"))
    parser.add_argument(
        "--dims",
        type=numbers,
        default=numbers("64,512"),
        help="numbers a page: kv heads x head dim",
    )
    parser.add_argument("--kinds", default=",".join(KINDS), help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=25, help="pages that a question reads")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument(
        "--parts",
        type=lambda text: tuple(float(part) for part in text.split(",")),
        default=(1.0, 0.1, 0.01),
        help="how much of the stream a question may look at",
    )
    options = parser.parse_args(argv)
    unknown = [kind for kind in options.kinds.split(",") if kind not in KINDS]
    if unknown:
        parser.error(f"unknown kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    return options


def draw(total: int, dim: int, *, count: int, questions: int, seed: int = 0) -> Task:
    """Pages as a stream's page means are: an offset that all keys share, scenes that each lie somewhere, around a place that
    wanders slowly but not without bound, and within a scene small differences.

    A question resembles one page, by half.
    """
    rng = np.random.default_rng(seed)
    ends = np.cumsum(rng.geometric(1 / SCENE_PAGES, size=total // 20 + 20))
    scene = np.searchsorted(ends, np.arange(total), side="right")
    place, places = rng.standard_normal(dim), []
    for _ in range(scene[-1] + 1):
        place = 0.998 * place + np.sqrt(1 - 0.998**2) * rng.standard_normal(dim)
        places.append(place + rng.standard_normal(dim))
    pages = np.asarray(places, np.float32)[scene]
    pages += 0.5 * rng.standard_normal((total, dim), dtype=np.float32)
    asked = pages[rng.integers(0, total, questions)] - pages.mean(axis=0)
    asked += asked.std() * rng.standard_normal(asked.shape, dtype=np.float32)
    return Task(pages + 4 * rng.standard_normal(dim).astype(np.float32), asked, count)


def measure(kind: str, task: Task, parts: Sequence[float]) -> Iterator[dict[str, Any]]:
    """One row a part of the stream. recall: the share of the truly best pages that is found."""
    began = time.perf_counter()
    search, size = build(kind, task)
    build_s = time.perf_counter() - began
    total, dim = task.pages.shape
    for part in parts:
        times, hits = [], 0
        for question, (low, high) in zip(task.questions, task.ranges(part), strict=True):
            began = time.perf_counter()
            found = search(question, task.count, low, high)
            times.append((time.perf_counter() - began) * 1000)
            hits += len(set(found.tolist()) & best(task, question, low, high))
        yield {
            "kind": kind, "dim": dim, "pages": total, "part": part,
            "recall": hits / (len(times) * task.count), "lookup_ms": statistics.median(times),
            "build_s": build_s, "page_bytes": size() / total,
        }  # fmt: skip


def best(task: Task, question: Floats, low: int, high: int) -> set[int]:
    """The pages of the range with the largest products, by computing all."""
    products = task.pages[low:high] @ question
    return {int(place) + low for place in np.argpartition(-products, task.count - 1)[: task.count]}


def build(kind: str, task: Task) -> tuple[Search, Callable[[], int]]:
    """An index of that kind, filled: how to search it, and its bytes."""
    total, dim = task.pages.shape
    if kind == "archive":
        archive = ArchiveIndex(1, dim)
        for start in range(0, total, 1024):
            archive.add(start, torch.from_numpy(task.pages[None, start : start + 1024]))
        return (
            lambda question, count, low, high: archive.search(
                torch.from_numpy(question[None]), count, low, high
            )[1][0].numpy(),
            lambda: archive.nbytes,
        )
    lists = max(1, round(2 * np.sqrt(total)))
    index: Any = faiss.index_factory(
        dim, FACTORY[kind].format(lists=lists), faiss.METRIC_INNER_PRODUCT
    )
    if kind.startswith("ivf"):
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = 64
    index.train(task.pages[: -(-total // 4)] if kind == "ivf" else task.pages)
    index.add(task.pages)

    def search(question: Floats, count: int, low: int, high: int) -> NDArray[np.int64]:
        how = parameters(kind, lists, count, faiss.IDSelectorRange(low, high))
        found: NDArray[np.int64] = index.search(question[None], count, params=how)[1][0]
        return found

    return search, lambda: int(faiss.serialize_index(index).nbytes)


def parameters(kind: str, lists: int, count: int, allowed: faiss.IDSelector) -> Any:
    """How FAISS is to search an index of that kind."""
    library: Any = faiss  # whose stubs know none of these arguments
    if kind == "hnsw":
        return library.SearchParametersHNSW(efSearch=8 * count, sel=allowed)
    if kind == "flat":
        return library.SearchParameters(sel=allowed)
    return library.SearchParametersIVF(nprobe=max(1, round(SHARE * lists)), sel=allowed)
