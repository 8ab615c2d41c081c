"""For all tests. One thread for torch, in this process and in those it starts: their tensors are small and cores are few."""

from __future__ import annotations

import os

import av  # noqa: F401  before any test loads OpenCV: see streams/opencv.py
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
