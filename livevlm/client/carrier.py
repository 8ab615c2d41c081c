"""Carrier: keeps a connection up and carries a ledger's events over it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import NoReturn

from livevlm.client.ledger import Ledger
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.link import Dial, Link, NotAdmitted, Retry
from livevlm.service.wire import PROTOCOL, read_object

logger = logging.getLogger(__name__)

CLOSED = "this client is closed"
FAULT = "the connection ended by a fault of this program"


class Carrier:
    """`open` it once, `close` it in the end. retry: None: a lost connection is the end."""

    def __init__(
        self,
        ledger: Ledger,
        dial: Dial,
        *,
        where: str,
        wake: asyncio.Event,
        retry: Retry | None,
        timeout_s: float,
    ) -> None:
        """wake: set when the ledger has something to send. timeout_s: how long a daemon may take to greet."""
        self._ledger = ledger
        self._dial = dial
        self._where = where
        self._wake = wake
        self._retry = retry
        self._timeout_s = timeout_s
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and go on carrying. Raises ServerUnreachable where no daemon greets us."""
        link = await self._connect()
        self._task = asyncio.create_task(self._run(link))

    async def close(self) -> None:
        """Close the connection; who still waits is told."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (fault := self._task.exception()) is not None:
                raise fault

    async def _connect(self) -> Link:
        link = await self._dial()
        try:
            async with asyncio.timeout(self._timeout_s):
                wish = self._ledger.opened(read_object(await link.recv()))
                if wish is not None:
                    await link.send(wish)
        except ServerUnreachable as error:
            why = f"{error.message} before a session began; perhaps it is no LiveVLM daemon"
            raise ServerUnreachable(why) from error
        except (TimeoutError, ValueError) as error:
            await link.close()
            raise ServerUnreachable(
                f"what listens at {self._where} is no LiveVLM daemon ({error})"
            ) from error
        except BaseException:
            await link.close()
            raise
        return link

    async def _run(self, link: Link) -> None:
        last: LiveVLMError = ServerUnreachable(FAULT)
        try:
            tries = 0
            while True:
                began_s = self._now_s()
                error = await self._carry(link)
                self._ledger.lost(error)
                if self._retry is None:
                    last = error
                    return
                if self._now_s() - began_s > self._retry.longest_s:
                    tries = 0  # it was a connection, and not one that is cut off again and again
                logger.warning("%s; trying again", error.message)
                link, tries = await self._again(self._retry, tries)
                logger.info("connected again to the daemon at %s", self._where)
        except LiveVLMError as error:
            last = error
        except asyncio.CancelledError:
            last = ServerUnreachable(CLOSED)
            raise
        finally:
            self._ledger.end(last)

    async def _again(self, retry: Retry, tries: int) -> tuple[Link, int]:
        """Another connection, and how many tries there have been. Raises LiveVLMError where there can be none."""
        down_s = retry.clock()
        while True:
            await retry.sleep(retry.wait_s(tries))
            tries += 1
            try:
                return await self._connect(), tries
            except NotAdmitted:
                raise
            except ServerUnreachable as error:
                if retry.clock() - down_s >= retry.patience_s:
                    self._ledger.give_up(error)

    async def _carry(self, link: Link) -> ServerUnreachable:
        """Read and write until the link is lost; why it was."""
        reading = asyncio.create_task(self._read(link))
        writing = asyncio.create_task(self._write(link))
        # Not the other way round: what has come is read to its end, also where nothing can be sent any more.
        reading.add_done_callback(lambda _: writing.cancel())
        both = (reading, writing)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
            return reading.result() if reading.done() else _fault(writing)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            await link.close()

    async def _read(self, link: Link) -> ServerUnreachable:
        try:
            while True:
                self._ledger.receive(read_object(await link.recv()))
        except ServerUnreachable as error:
            return error
        except (ValueError, ArithmeticError) as error:
            return ServerUnreachable(f"{self._where} does not speak {PROTOCOL}: {error}")

    async def _write(self, link: Link) -> None:
        with suppress(ServerUnreachable):  # the reader meets the same
            while True:
                while (text := self._ledger.outgoing()) is None:
                    self._wake.clear()
                    await self._wake.wait()
                await link.send(text)

    def _now_s(self) -> float:
        return 0.0 if self._retry is None else self._retry.clock()


def _fault(ended: asyncio.Task[None]) -> NoReturn:
    """Raises what ended a task that has no end of its own."""
    ended.result()
    raise AssertionError("it only ends with its link")
