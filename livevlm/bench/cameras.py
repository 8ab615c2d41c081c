"""Many RTSP cameras at once, from their sockets into memory: what arrives, what it costs, and how far behind "now" is."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from livevlm.assembly import build_backbone
from livevlm.bench.ceiling import ceiling
from livevlm.bench.report import machine, print_table
from livevlm.bench.rig import Rig
from livevlm.bench.scenery import encode_scenery
from livevlm.bench.usage import cpu_s, resident_mib, threads_cpu_s
from livevlm.config import Config
from livevlm.intake import build_intake
from streams import Frame
from streams.clip import Clip
from streams.decoding import START_CODE

# A loop of several GOPs, so that the cameras can begin at different ones.
CLIP_S = 8.0
START_S = 120.0
# Pictures that were let go because the model could not keep up.
BEHIND = ("backpressure", "superseded")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is asked with `--cameras`."""
    group = parser.add_argument_group("cameras")
    group.add_argument("--cameras", type=int, default=0, help="RTSP cameras on this machine")
    group.add_argument("--size", type=size, default=(1920, 1080), help="1920x1080 (default)")
    group.add_argument("--camera-fps", type=float, default=15.0, help="pictures a camera sends")
    group.add_argument("--gop", type=int, default=30, help="pictures from keyframe to keyframe")
    group.add_argument("--bit-rate", type=int, default=3_000_000, help="bits a second, a camera")
    group.add_argument("--fps", type=float, default=1.0, help="pictures a second looked at")
    group.add_argument("--decode", choices=("auto", "all", "keyframes"), default="auto")
    group.add_argument("--seconds", type=float, default=60.0, help="how long is measured")
    group.add_argument(
        "--ceiling-seconds", type=float, default=3.0, help="for each way of decoding alone"
    )


def run(options: argparse.Namespace) -> int:
    """Serve, watch, measure and print."""
    clip = encode_scenery(
        options.size,
        fps=options.camera_fps,
        keyframe_every=options.gop,
        count=options.gop * math.ceil(CLIP_S * options.camera_fps / options.gop),
        bit_rate=options.bit_rate,
    )
    alone = ceiling(clip, fps=options.fps, threads=options.cameras, seconds=options.ceiling_seconds)
    with cameras(clip, options.cameras) as (server, urls):
        found, rows = watch(options, urls, server)
    cpu_ms = {str(row["way"]): float(row["cpu_ms"]) for row in alone}
    pictures = options.cameras * options.camera_fps / 1000
    settings: dict[str, Any] = {
        "cameras": options.cameras, "size": "{}x{}".format(*options.size), "camera_fps": options.camera_fps,
        "gop": options.gop, "mbit_s": round(_bits(clip) * clip.fps / len(clip.pictures) / 1e6, 2),
        "fps": options.fps, "decode": options.decode, **found,
        "ceiling_all_cores": pictures * cpu_ms["one thread, all"],
        "ceiling_auto_cores": pictures * cpu_ms["one thread, auto"],
    }  # fmt: skip
    if not options.json:
        print_table(alone)
        print_table(rows)
        print(" ".join(f"{key}={_short(value)}" for key, value in settings.items()))
    print(json.dumps({"bench": "ingest", **settings, "ceiling": alone, "rows": rows}))
    return 0


@contextlib.contextmanager
def cameras(clip: Clip, count: int) -> Iterator[tuple[int, list[str]]]:
    """The clip played by so many cameras, in a process of their own: its number, and their addresses."""
    with tempfile.TemporaryDirectory(prefix="livevlm-cameras-") as folder:
        path = Path(folder) / "clip.264"
        units = (START_CODE + nal for units in clip.pictures for nal in units)
        path.write_bytes(b"".join(units))
        words = [str(path), "--cameras", str(count), "--camera-fps", str(clip.fps)]
        with subprocess.Popen(
            [sys.executable, "-m", "livevlm.bench.rtsp", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdin is not None and server.stdout is not None
            try:
                yield server.pid, json.loads(server.stdout.readline())["urls"]
            finally:
                server.stdin.close()


@dataclass(slots=True)
class _Seen:
    """What came into memory: how old each frame was then, in seconds since its arrival, by stream."""

    ages: dict[str, list[float]]
    first: set[str] = field(default_factory=set)

    def note(self, frames: Sequence[Frame]) -> None:
        now = time.time()
        for frame in frames:
            self.ages[frame.stream].append(now - frame.captured_utc)
            self.first.add(frame.stream)


def watch(
    options: argparse.Namespace, urls: Sequence[str], server: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Watch the cameras until all are seen, then for the time that is measured: the figures, and a row for each camera."""
    names = [f"cam{number}" for number in range(len(urls))]
    config = Config.model_validate(
        {
            "model": {key: getattr(options, key) for key in ("device", "dtype", "threads")}
            | {"name": options.model},
            "ingest": {"fps": options.fps},
            "streams": {
                name: {"url": url, "decode": options.decode}
                for name, url in zip(names, urls, strict=True)
            },
        }
    )
    backbone = build_backbone(config)
    wanted = backbone.frame_size
    seen = _Seen({name: [] for name in names})
    rig = Rig(
        backbone,
        config,
        lambda wake: [
            build_intake(name, config, environ={}, size=wanted, wake=wake) for name in names
        ],
        seen.note,
    )
    with rig:
        give_up = time.monotonic() + START_S
        rig.run(lambda: len(seen.first) == len(names) or time.monotonic() > give_up)
        if len(seen.first) < len(names):
            raise TimeoutError(f"{len(names) - len(seen.first)} cameras gave no picture")
        for ages in seen.ages.values():
            ages.clear()
        before = _Reading.of(rig, server)
        until = time.monotonic() + options.seconds
        rig.run(lambda: time.monotonic() >= until)
        after = _Reading.of(rig, server)
    rows = [_row(name, before, after, seen.ages[name]) for name in names]
    return _figures(before, after, seen.ages, options) | machine(backbone.device), rows


@dataclass(frozen=True, slots=True)
class _Reading:
    """All counters at one moment, in seconds, pictures and MiB."""

    at_s: float
    cpu_s: float
    readers_s: float
    model_s: float
    server_s: float
    resident_mib: float
    received: dict[str, int]
    dropped: dict[str, dict[str, int]]

    @classmethod
    def of(cls, rig: Rig, server: int) -> _Reading:
        statuses = {one.stream.name: one.reader.status() for one in rig.intakes}
        return cls(
            time.monotonic(),
            cpu_s(),
            threads_cpu_s("stream-"),
            cpu_s(thread=threading.get_native_id()),
            cpu_s(server),
            resident_mib(),
            {name: status.received for name, status in statuses.items()},
            {name: status.dropped for name, status in statuses.items()},
        )


def _row(name: str, before: _Reading, after: _Reading, ages: Sequence[float]) -> dict[str, Any]:
    passed_s = after.at_s - before.at_s
    lost = {
        reason: count - before.dropped[name].get(reason, 0)
        for reason, count in after.dropped[name].items()
    }
    return {
        "camera": name,
        "received_per_s": (after.received[name] - before.received[name]) / passed_s,
        "encoded": len(ages),
        "lag_p50_s": _share(ages, 50),
        "lag_max_s": _share(ages, 100),
        **lost,
    }


def _figures(
    before: _Reading,
    after: _Reading,
    ages: dict[str, list[float]],
    options: argparse.Namespace,
) -> dict[str, Any]:
    passed_s = after.at_s - before.at_s
    all_ages = [age for each in ages.values() for age in each]
    behind = sum(
        after.dropped[name].get(reason, 0) - before.dropped[name].get(reason, 0)
        for name in ages
        for reason in BEHIND
    )
    least = min(len(each) for each in ages.values())
    figures: dict[str, Any] = {
        "seconds": round(passed_s, 1),
        "received_per_s": (sum(after.received.values()) - sum(before.received.values())) / passed_s,
        "encoded_per_s": len(all_ages) / passed_s,
        "least_encoded": least,
        "lag_p50_s": _share(all_ages, 50),
        "lag_p95_s": _share(all_ages, 95),
        "lag_max_s": _share(all_ages, 100),
        "dropped_behind": behind,
        "cores": (after.cpu_s - before.cpu_s) / passed_s,
        "reader_cores": (after.readers_s - before.readers_s) / passed_s,
        "model_cores": (after.model_s - before.model_s) / passed_s,
        "server_cores": (after.server_s - before.server_s) / passed_s,
        "resident_mib": after.resident_mib,
        "resident_grew_mib": after.resident_mib - before.resident_mib,
    }
    figures["kept_up"] = (
        behind == 0
        and bounded(ages, passed_s, options.fps)
        and (least >= math.floor(0.95 * passed_s * options.fps) - 1)
    )
    return figures


def bounded(ages: dict[str, list[float]], passed_s: float, fps: float) -> bool:
    """Whether frames wait no longer at the end than at the beginning, give or take one sampling period."""
    part = max(1, round(passed_s * fps / 4))
    late = [age for each in ages.values() for age in each[-part:]]
    early = [age for each in ages.values() for age in each[:part]]
    return _share(late, 50) <= _share(early, 50) + 1 / fps


def _share(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else math.nan


def _bits(clip: Clip) -> int:
    return 8 * sum(len(nal) for units in clip.pictures for nal in units)


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def size(text: str) -> tuple[int, int]:
    """The width and the height that a text like 1920x1080 names, both even. ArgumentTypeError for any other."""
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None or int(found[1]) % 2 or int(found[2]) % 2:
        raise argparse.ArgumentTypeError(f"a size is two even numbers, as 1920x1080, not {text!r}")
    return int(found[1]), int(found[2])
