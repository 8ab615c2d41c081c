"""Verbs that need an extra: what is missing is said with the command that brings it."""

from __future__ import annotations

from types import ModuleType

from livevlm.cli import load_module
from livevlm.errors import ConfigError

# The extras of pyproject.toml, by the libraries that they bring.
LIBRARIES = {"http": ("starlette", "uvicorn"), "mcp": ("mcp", "mcp_types")}


def load_extra(extra: str, module: str) -> ModuleType:
    """Import a module that needs an extra. Raises ConfigError where that is not installed."""
    try:
        return load_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in LIBRARIES[extra]:
            raise
        raise ConfigError(
            f"{missing} is not installed: it comes with the extra {extra}; pip install 'livevlm[{extra}]',"
            f" or, in a checkout, pip install -c constraints.txt -e '.[{extra}]'"
        ) from error
