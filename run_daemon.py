"""Start the daemon: the same as `livevlm serve`, for a checkout without an installed command."""

from __future__ import annotations

import sys

from livevlm.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
