"""`livevlm version`: versions of this program and of what it runs on, read without importing any of it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence

from livevlm import __version__
from livevlm.cli.output import print_json
from livevlm.cli.parsing import add_json, parser_for

PACKAGES = ("torch", "transformers", "av", "opencv-python", "faiss-cpu", "faiss-gpu", "websockets")


def main(argv: Sequence[str]) -> int:
    """Print the versions."""
    parser = parser_for("version", __doc__ or "")
    add_json(parser)
    args = parser.parse_args(argv)
    if args.json:
        print_json({"version": __version__, "python": platform.python_version()} | installed())
    else:
        print(f"livevlm {__version__}")
    return 0


def installed() -> dict[str, str]:
    """The versions of the packages that matter, those that are installed."""
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}
    return {name: found[name] for name in PACKAGES if name in found}
