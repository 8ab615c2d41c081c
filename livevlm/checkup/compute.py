"""Compute: torch, its threads, and whether there is a GPU for it, or why not."""

from __future__ import annotations

import os

import torch

from livevlm.checkup.finding import Finding, fault, ok, warning

DRIVER = "/proc/driver/nvidia/version"


def look(device: str) -> list[Finding]:
    """Of the torch that is installed. device: as model.device."""
    found = f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    gpus = None
    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        ok("torch", found),
        gpu(gpus, built_for=torch.version.cuda, driver=os.path.exists(DRIVER), device=device),
    ]


def gpu(gpus: list[str] | None, *, built_for: str | None, driver: bool, device: str) -> Finding:
    """gpus: their names, None where torch sees none. built_for: the CUDA version of this torch, None for a CPU build."""
    if gpus:
        number = int(device.partition(":")[2] or 0)
        if number >= len(gpus):
            way_out = "name one that is there in model.device, from 0 on"
            return fault("gpu", f"{', '.join(gpus)}, but no {device}", way_out)
        return ok("gpu", f"{', '.join(gpus)}, CUDA {built_for}")
    if built_for is None:
        why, way_out = "this torch is built for the CPU alone", "install the CUDA build of torch"
    elif not driver:
        why, way_out = "no NVIDIA driver is loaded", "install it, or put model.device on cpu"
    else:
        why, way_out = "torch sees none, although a driver is loaded", "see what nvidia-smi says"
    if device.startswith("cuda"):
        return fault("gpu", f"none, but model.device is {device}: {why}", way_out)
    if driver:
        return warning("gpu", f"none: {why}", way_out)
    return ok("gpu", f"none: {why}")
