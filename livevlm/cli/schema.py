"""`livevlm schema`: print the JSON Schema of the protocol's events."""

from __future__ import annotations

import json
from collections.abc import Sequence

from livevlm.cli.parsing import parser_for
from livevlm.service.schema import protocol_schema


def main(argv: Sequence[str]) -> int:
    """Print the schema."""
    parser_for("schema", __doc__ or "").parse_args(argv)
    print(json.dumps(protocol_schema(), indent=2))
    return 0
