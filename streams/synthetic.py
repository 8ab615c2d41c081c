"""SyntheticSource: the `test:` source, a made-up recording or camera whose content is known.

`test:?seed=3&fps=10&scene_s=6&duration_s=120&live=0`: scenes follow each other, each for `scene_s` seconds, all drawn
from the seed. Without `duration_s` it never ends. With `live=1` frames come when their time has come; otherwise as fast
as they are taken.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from streams.address import Address
from streams.errors import AddressUnsupported
from streams.frame import Frame
from streams.place import first_behind
from streams.render import Image, render
from streams.scene import Scene
from streams.source import SourceOptions
from streams.staging import draw_scene

DEFAULT_SIZE = (320, 240)
NAP_S = 0.05  # how long a live source may take to notice that it was cancelled


@dataclass(frozen=True, slots=True)
class Script:
    """What is shown when: scene i from i * scene_s on. Given scenes repeat;
    without any they are drawn from the seed for ever.
    """

    scene_s: float
    seed: int = 0
    scenes: Sequence[Scene] = ()

    def __post_init__(self) -> None:
        assert self.scene_s > 0, self.scene_s

    def scene_at(self, pts_s: float) -> Scene:
        """The scene in view at a stream time."""
        number = int(pts_s / self.scene_s)
        if self.scenes:
            return self.scenes[number % len(self.scenes)]
        return draw_scene(np.random.default_rng((self.seed, number)))

    def picture(self, pts_s: float, size: tuple[int, int]) -> Image:
        """What a camera of that (width, height) sees at a stream time."""
        return render(self.scene_at(pts_s), pts_s % self.scene_s, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The parameters of a `test:` address."""

    seed: int = 0
    fps: float = 10.0
    scene_s: float = 6.0
    duration_s: float = float("inf")

    @classmethod
    def parse(cls, address: Address) -> Pattern:
        """AddressUnsupported for an unknown parameter, or one that is not a number above 0."""
        kinds: dict[str, Callable[[str], float]] = {
            "seed": int,
            "fps": float,
            "scene_s": float,
            "duration_s": float,
        }
        values: dict[str, float] = {}
        for key, text in address.parameters.items():
            if key == "live":
                continue
            if key not in kinds:
                raise AddressUnsupported(
                    f"{address.shown}: no parameter {key!r}; there are {', '.join(kinds)} and live"
                )
            try:
                values[key] = kinds[key](text)
            except ValueError as error:
                raise AddressUnsupported(
                    f"{address.shown}: {key} must be a number, not {text!r}"
                ) from error
            if key != "seed" and not values[key] > 0:
                raise AddressUnsupported(f"{address.shown}: {key} must be above 0")
        return cls(**values)  # type: ignore[arg-type]


class SyntheticSource:
    """Frames of a script."""

    def __init__(
        self,
        address: Address,
        *,
        name: str,
        options: SourceOptions,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self._options, self._live = name, options, address.live
        self._pattern = Pattern.parse(address)
        self._script = Script(self._pattern.scene_s, self._pattern.seed)
        self._monotonic, self._sleep = monotonic, sleep

    @property
    def live(self) -> bool:
        """Whether frames come when their time has come."""
        return self._live

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[Frame]:
        size = self._options.size or DEFAULT_SIZE
        began = self._monotonic()
        behind = None if self._live else self._options.behind
        for index in itertools.count(first_behind(behind, self._pattern.fps)):
            pts_s = index / self._pattern.fps
            if pts_s >= self._pattern.duration_s or self._cancelled_until(began + pts_s):
                return
            if self._options.keep(pts_s):
                yield Frame(
                    self._name,
                    index,
                    pts_s,
                    self._options.clock(),
                    self._script.picture(pts_s, size),
                )

    def _cancelled_until(self, due: float) -> bool:
        """Wait for a live frame's moment; whether the source was cancelled before it came."""
        while not self._options.cancelled():
            ahead = due - self._monotonic() if self._live else 0.0
            if ahead <= 0:
                return False
            self._sleep(min(ahead, NAP_S))
        return True
