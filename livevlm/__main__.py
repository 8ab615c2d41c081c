"""`python -m livevlm`: the command, where it is not installed."""

from __future__ import annotations

import sys

from livevlm.cli import main

if __name__ == "__main__":
    sys.exit(main())
