"""Pairs: a folder of pictures with captions.

Either every picture has a text file of the same stem beside it (cat.jpg and cat.txt, in subfolders too), or the folder
holds captions.jsonl with a line {"image": "relative path", "caption": "..."} for each; then that file alone says which
pictures there are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livevlm.errors import ConfigError
from livevlm.vision import fit
from streams.opencv import cv2

LIST = "captions.jsonl"
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture, as a path inside the folder, and what it shows."""

    picture: str
    caption: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """A folder's pairs, at least one, and the pictures that have no caption and are left out."""

    folder: Path
    pairs: tuple[Pair, ...]
    bare: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, seed: int, step: int, count: int) -> list[Pair]:
        """The batch of a step; it follows from seed and step alone. No pair comes twice while there are enough of them."""
        rng = np.random.default_rng((seed, step))
        places = rng.choice(len(self.pairs), size=count, replace=count > len(self.pairs))
        return [self.pairs[place] for place in places]

    def read(self, pair: Pair, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """A pair's picture, squashed to (width, height) as frames are: (height, width, 3) RGB. ConfigError where it cannot be
        read.
        """
        path = self.folder / pair.picture
        try:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        except cv2.error as error:  # more pixels than OpenCV takes
            raise ConfigError(f"the picture {path} cannot be read: {error.err}") from error
        if image is None:
            raise ConfigError(f"the picture {path} cannot be read: mend it or take it out")
        return fit(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8), size)

    def digest(self) -> str:
        """The same for the same pictures' names and captions, wherever the folder lies."""
        made = hashlib.sha256()
        for pair in self.pairs:
            made.update(json.dumps((pair.picture, pair.caption)).encode())
        return made.hexdigest()


def find_pairs(folder: Path) -> Pairs:
    """The pairs of a folder, in the order of their names or of captions.jsonl.

    ConfigError where there is no such folder, no pair in it, a line or a caption that cannot be understood, or a
    picture that OpenCV cannot open; a picture without a caption is left out.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} of pictures and captions")
    listed = folder / LIST
    found = list(_listed(listed) if listed.is_file() else _beside(folder))
    pairs = tuple(pair for pair in found if pair.caption)
    bare = tuple(pair.picture for pair in found if not pair.caption)
    if not pairs:
        raise ConfigError(
            f"{folder} holds no picture with a caption ({len(bare)} without): put a text file of the same stem beside each "
            f"picture, or write {LIST}"
        )
    for pair in pairs:
        # The head of a file tells at once what would else break off a run hours later.
        if not cv2.haveImageReader(str(folder / pair.picture)):
            raise ConfigError(
                f"the picture {folder / pair.picture} cannot be read: mend it or take it out"
            )
    return Pairs(folder, pairs, bare)


def _beside(folder: Path) -> Iterator[Pair]:
    """Every picture with the text of the file beside it, empty where there is none."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        text = path.with_suffix(".txt")
        try:
            caption = text.read_text(encoding="utf-8-sig").strip() if text.is_file() else ""
        except UnicodeDecodeError as error:
            raise ConfigError(f"the caption {text} is not UTF-8: {error.reason}") from error
        yield Pair(path.relative_to(folder).as_posix(), caption)


def _listed(path: Path) -> Iterator[Pair]:
    """The pairs of a captions.jsonl; empty lines count for nothing."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}, is not JSON: {error}") from error
        picture, caption = (
            (given.get("image"), given.get("caption")) if isinstance(given, dict) else (None, None)
        )
        if not (isinstance(picture, str) and isinstance(caption, str)):
            raise ConfigError(
                f'{path}, line {number}, must read {{"image": "relative path", "caption": "..."}}'
            )
        if not (path.parent / picture).is_file():
            raise ConfigError(f"{path}, line {number}, names {picture}, which is not in the folder")
        yield Pair(picture, caption.strip())
