"""For all tests: one thread for torch, in this process and in those it starts. Their tensors are small and cores are few."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
