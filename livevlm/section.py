"""Section: a table of the configuration file, and how its settings are written down."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def setting(default: Any, description: str, **limits: Any) -> Any:
    """A setting with its default, what it is for, and pydantic's limits on it."""
    return Field(default=default, description=description, **limits)


class Section(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
