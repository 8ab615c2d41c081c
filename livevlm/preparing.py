"""Preparation: a stream's memory and its write path, made before the stream is watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from livevlm.backbone import Backbone
from livevlm.engineoptions import EngineOptions
from livevlm.ingest import Stage, StreamIngest
from livevlm.keeper import Keeper, restored
from livevlm.progress import Progress, progress_in
from livevlm.reducer import make_reducer
from livevlm.roster import EngineStream, Watched
from livevlm.timestamps import Timestamps
from livevlm.vision import FrameEncoder
from livevlm.whereabouts import stream_folder
from streams import Edition


@dataclass(frozen=True, slots=True)
class Preparation:
    """What memories are made with. prompt: what stands before the video. stage: told how long each stage of ingest took. clock:
    monotonic seconds. state: the folder in which memories outlive the engine.
    """

    backbone: Backbone
    prompt: str
    options: EngineOptions
    stage: Stage
    clock: Callable[[], float]
    state: Path | None

    def watched(self, stream: EngineStream) -> Watched:
        """A stream with its memory: empty, or what the state directory holds of it.

        Raises ConfigError where the options fit no memory, or what is held cannot be used.
        """
        name, options, backbone = stream.name, self.options, self.backbone
        folder = None if self.state is None else stream_folder(self.state, name)
        reducer = make_reducer(
            backbone.own_grid, tokens=options.tokens_per_frame, similarity=options.similarity
        )
        memory = options.memory.build(
            backbone,
            prompt=self.prompt,
            frame_tokens=reducer.most,
            chunk_frames=options.chunk_frames,
            folder=None if folder is None else folder / "archive",
        )
        keeper = None if folder is None else restored(name, folder / "memory", memory, self.clock)
        newest = memory.newest()
        edition, progress = _film(stream, keeper, None if newest is None else newest.stream_s)
        stamped = options.memory.timestamps
        ingest = StreamIngest(
            backbone,
            memory,
            FrameEncoder(backbone, reducer, 0 if newest is None else newest.frame + 1),
            score_queries=options.memory.score_queries,
            stage=self.stage,
            timestamps=Timestamps(backbone.codec, backbone.embed) if stamped else None,
            keeper=keeper,
            edition=edition,
            progress=progress,
        )
        return Watched(stream, ingest)


def _film(
    stream: EngineStream, keeper: Keeper | None, newest_s: float | None
) -> tuple[Edition | None, Progress | None]:
    """Which recording it is, if any, and how far it was watched; then it is told to go on there."""
    if stream.film is None or keeper is None:
        return None, None
    edition = stream.film.edition()
    progress = progress_in(stream.name, edition, keeper.note, newest_s)
    if progress is not None:
        stream.film.go_on(progress.place, progress.ended)
    return edition, progress
