"""Comeback: how long a lost source is left alone, and how its return is noticed."""

from __future__ import annotations

from collections.abc import Iterator

from streams.address import Address
from streams.orders import Orders
from streams.reading import ReaderOptions

# A knock that fails only after so long was not refused: nobody answered it.
SILENCE_S = 0.5


class Comeback:
    """The delays between one stream's tries, and the knocking in between. Of the stream's own thread."""

    def __init__(self, address: Address, options: ReaderOptions, orders: Orders) -> None:
        self._address, self._options, self._orders = address, options, orders
        self._gone = False
        self._delays: Iterator[float] = options.backoff.delays()

    def succeeded(self) -> None:
        """A picture came: the next loss begins with the shortest delay."""
        self._gone = False
        self._delays = self._options.backoff.delays()

    def delay_s(self, *, refused: bool) -> float:
        """Seconds until the next try. refused: the source wants other credentials."""
        # The first try says what is wrong; while nobody answers the door, more of them would only be in the way of the one
        # that counts: one that hangs could outlast the camera's return.
        rest = self._gone or refused
        return self._options.backoff.longest() if rest else next(self._delays)

    def wait(self, delay_s: float) -> None:
        """Wait so long, or until a source that was out of reach is there again, or a pause or the end comes.

        What accepts and says nothing, or swallows the call, is knocked at for as long as the back-off knows, and not opened:
        that would hang for `open_timeout_s`, and could outlast the camera's return.
        """
        left_s, knock_s, silent = delay_s, self._options.knock_s, False
        while left_s > 0:
            began_s = self._options.monotonic()
            there = self._options.reachable(self._address)
            returned, self._gone = there and self._gone, not there
            if returned:
                # A server that has just started may turn the first caller away (503), and take the next.
                self._delays = self._options.backoff.delays(knock_s / 2)
                return
            # Who waited long for an answer asks again soon: the camera may have returned meanwhile.
            left_s -= (took_s := self._options.monotonic() - began_s)
            pause_s = min(left_s, max(knock_s - took_s, knock_s / 10))
            if pause_s > 0 and self._orders.nap(pause_s):
                return
            left_s -= pause_s
            if self._gone and took_s >= SILENCE_S and not silent:
                silent = True
                left_s += max(0.0, self._options.backoff.longest() - delay_s)
