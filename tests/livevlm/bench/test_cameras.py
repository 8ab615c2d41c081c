"""Many cameras at once: what is measured is what happened."""

from __future__ import annotations

import argparse
import json
import os

import pytest

from livevlm.bench import cameras, ingest
from livevlm.bench.usage import cpu_s, mapped_mib, resident_mib, threads_cpu_s


def test_cameras_from_their_sockets_into_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is watched, none is decoded in full, and beside it stands what decoding alone costs."""
    shape = ["--size", "128x96", "--camera-fps", "10", "--gop", "10", "--bit-rate", "100000"]
    length = ["--seconds", "2", "--ceiling-seconds", "0", "--fps", "2"]
    words = ["--cameras", "2", *shape, *length, "--model", "toy", "--threads", "1", "--json"]
    assert ingest.main(words) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["camera"] for row in found["rows"]] == ["cam0", "cam1"]
    assert sum(row["encoded"] for row in found["rows"]) >= 2
    assert sum(row["skipped"] for row in found["rows"]) >= 2
    assert 0 <= found["lag_p50_s"] <= found["lag_p95_s"] <= found["lag_max_s"]
    assert found["received_per_s"] > found["encoded_per_s"] > 0
    assert found["cores"] >= found["reader_cores"] >= 0
    shares = {row["way"]: row["decoded_share"] for row in found["ceiling"]}
    assert len(shares) == 7
    assert shares["one thread, keyframes"] < shares["one thread, auto"] < 1
    assert shares["one thread, all"] == shares["2 threads, all"] == 1


def test_falling_behind_is_waiting_longer_and_longer() -> None:
    """A frame that waits does no harm; frames that wait ever longer do."""
    assert cameras.bounded({"a": [0.1] * 40, "b": [0.9] * 40}, 40, 1.0)
    assert not cameras.bounded({"a": [0.1 * place for place in range(40)]}, 40, 1.0)


def test_a_size_is_a_width_and_a_height() -> None:
    """What is not one is refused before anything is encoded."""
    assert cameras.size("640x360") == (640, 360)
    for text in ("640", "x360", "640x", "axb", "0x10", "641x360"):
        with pytest.raises(argparse.ArgumentTypeError, match="1920x1080"):
            cameras.size(text)


def test_what_a_process_uses() -> None:
    """This one has some memory, and has had some time; one that is over has none."""
    assert resident_mib() > mapped_mib() > 0
    assert cpu_s() >= threads_cpu_s("MainThread") > 0
    assert cpu_s(os.getpid()) > 0
    assert cpu_s(thread=2**22 + 1) == 0
