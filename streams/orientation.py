"""Orientation: how a photograph is to be turned, as its EXIF says, for all eight ways."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

UPRIGHT = 1
# Those that exchange width and height.
SIDEWAYS = (5, 6, 7, 8)
_TAG = 0x0112
# A JPEG's, PNG's or WebP's head, by which EXIF is found, and how many bytes stand between it and the TIFF header.
_HEADS = ((b"\xff\xd8", b"Exif\0\0", 0), (b"\x89PNG", b"eXIf", 0), (b"RIFF", b"EXIF", 4))
_PLAIN = (b"II*\0", b"MM\0*")


def orientation(data: bytes) -> int:
    """1 to 8 as in EXIF, of an encoded picture; 1, upright, where it says nothing."""
    for magic, mark, between in _HEADS:
        if data.startswith(magic):
            at = data.find(mark)
            return UPRIGHT if at < 0 else _in_tiff(data[at + len(mark) + between :])
    return _in_tiff(data)


def upright(image: npt.NDArray[np.uint8], how: int) -> npt.NDArray[np.uint8]:
    """The picture, (height, width, channels), turned and mirrored as its orientation asks; rows are plain again."""
    if how in (2, 3):
        image = image[:, ::-1]
    if how in (3, 4):
        image = image[::-1]
    if how in SIDEWAYS:
        image = image.transpose(1, 0, 2)
    if how in (6, 7):
        image = image[:, ::-1]
    if how in (7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _in_tiff(data: bytes) -> int:
    """The orientation in a TIFF structure's first directory."""
    if not data.startswith(_PLAIN):
        # WebP's EXIF may begin as a JPEG's does.
        data = data.removeprefix(b"Exif\0\0")
    if not data.startswith(_PLAIN):
        return UPRIGHT
    order = "<" if data.startswith(b"II") else ">"
    try:
        (first,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, first)
        for entry in range(count):
            tag, kind = struct.unpack_from(order + "HH", data, first + 2 + 12 * entry)
            if (tag, kind) == (_TAG, 3):
                (value,) = struct.unpack_from(order + "H", data, first + 2 + 12 * entry + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass  # A directory that leads out of the data says nothing.
    return UPRIGHT
