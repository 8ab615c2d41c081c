"""Looking for secrets in what came out of a program: as they are, percent-encoded, and in base64 wherever they begin in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus


def shapes(secret: str) -> set[bytes]:
    """What a secret may look like in some text or file. In base64 it looks otherwise at each of three beginnings, and what
    its neighbours share a letter with is left out.
    """
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), raw.hex().encode()}
    found.add(json.dumps(secret)[1:-1].encode())
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw)
        inner = whole[(0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(raw)) % 3]]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def leaks(secrets: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which secret is found where, each with its surroundings."""
    wanted = {name: shapes(secret) for name, secret in secrets.items()}
    found = []
    for place, data in places:
        for name, looks in wanted.items():
            for look in looks:
                at = data.find(look)
                if at >= 0:
                    found.append(f"{name} in {place}: {data[max(0, at - 60) : at + 20]!r}")
    return found
