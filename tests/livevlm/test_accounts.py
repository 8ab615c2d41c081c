"""Every picture that came is accounted for, as a client reads it: from the camera to the memory."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from livevlm.config import Config
from livevlm.engine import Engine, EngineOptions
from livevlm.intake import build_intake
from livevlm.messages import StreamStatus
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.service.wire import JsonObject, status_json
from livevlm.toy import ToyBackbone
from livevlm.watchconfig import IngestConfig, StreamConfig
from tests.streams.pictures import until


def whole(status: StreamStatus) -> bool:
    """Whether what `livevlm status --json` says of a stream adds up."""
    told = cast(dict[str, int], status_json(status))
    dropped = cast(JsonObject, status_json(status)["frames_dropped"])
    gone = told["frames_unsampled"] + told["frames_encoded"] + told["frames_waiting"]
    return told["frames_received"] == gone + sum(cast(dict[str, int], dropped).values())


@pytest.mark.parametrize("drop", ["oldest", "latest", "block"])
def test_what_a_client_is_told_adds_up_all_the_time(drop: str) -> None:
    """While one thread reads, one runs the model and a third looks; and at the end nothing waits any more."""
    stream = StreamConfig(
        url="test:?fps=25&duration_s=12",
        drop=drop,  # type: ignore[arg-type]
        speed="max",
        fps=10,
        gate=3.0,
        gate_longest_s=0.5,
    )
    config = Config(streams={"cam": stream}, ingest=IngestConfig(mailbox_frames=3))
    intake = build_intake("cam", config, environ={}, size=(64, 64), wake=lambda: None)
    engine = Engine(
        ToyBackbone(),
        streams=[intake.stream],
        options=EngineOptions(memory=MemoryRecipe(budget_tokens=96, short_term_frames=4)),
        metrics=Metrics(),
    )
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if not engine.step():
                over.wait(0.001)

    model = threading.Thread(target=work, daemon=True)
    model.start()
    intake.reader.start()

    def done() -> bool:
        (status,) = engine.streams()
        assert whole(status), status
        return status.state == "ended" and status.frames_waiting == 0

    try:
        until(done, hang_s=120)
    finally:
        over.set()
        model.join(30)
        intake.stop(10)
    (status,) = engine.streams()
    assert status.frames_received == 300
    assert status.frames_unsampled == 180
    assert (status.frames_encoded > 0, status.queue_frames) == (True, 0)
    if drop == "block":
        assert status.frames_encoded + status.frames_dropped["similar"] == 120
