"""`python -m tests.livevlm.service.fuzz MINUTES [SEED]`: hostile input at a real server, for as long as it is told.

Says every ten seconds how far it is and how much memory it takes; ends at the first failure, naming the seed to begin with to
have it again.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

from livevlm.bench.usage import resident_mib
from livevlm.service.server import ServerOptions
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.hostile import ATTACKS, annoy, still_served
from tests.livevlm.service.serving import joined, running

EVERY_S, EVENTS, PATIENCE_S = 10.0, 50, 60.0


async def fuzz(minutes: float, seed: int) -> None:
    """One seed after the other until the time is up. Raises what went wrong."""
    began = told = time.monotonic()
    done: Counter[str] = Counter()
    options = ServerOptions(max_message_bytes=1 << 16, close_timeout_s=0.5)
    async with running("front", "back", options=options) as where, joined(where) as other:
        while time.monotonic() - began < 60 * minutes:
            rng = random.Random(seed)
            attack = rng.choice(ATTACKS)
            try:
                annoy(Desk("front", "back"), rng, EVENTS)
                async with asyncio.timeout(PATIENCE_S):
                    await attack(where, rng)
                    await still_served(other)
            except BaseException:
                print(f"seed {seed}, {attack.__name__}", flush=True)
                raise
            done.update(events=EVENTS, **{attack.__name__: 1})
            # What the fake service remembers is not the server's.
            for kept in (where.service.questions, where.service.errands, where.service.made):
                kept.clear()
            where.service.cancelled.clear()
            where.service.statuses[2:] = []
            where.service.watches.orders.clear()
            seed += 1
            if time.monotonic() - told > EVERY_S:
                told = time.monotonic()
                print(
                    f"{told - began:.0f} s, next seed {seed}, {resident_mib():.0f} MiB, {dict(done)}",
                    flush=True,
                )
    print(
        f"well after {sum(done.values()) - done['events']} attacks and {done['events']} events",
        flush=True,
    )


def main(argv: Sequence[str]) -> int:
    """Fuzz for so many minutes, from a seed on."""
    asyncio.run(fuzz(float(argv[0]), int(argv[1]) if len(argv) > 1 else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
