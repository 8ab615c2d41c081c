"""OpenCV, loaded behind PyAV; everyone takes it from here.

Both bring a libxcb-shm of one name, and the loader gives whoever comes second the one that came first. OpenCV's in PyAV's
hands ends the process with a segmentation fault as soon as an X screen is grabbed; PyAV's does OpenCV no harm.
"""

from __future__ import annotations

import av  # noqa: F401  before cv2, and that is all of it
import cv2

__all__ = ["cv2"]
