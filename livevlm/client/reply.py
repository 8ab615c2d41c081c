"""Reply: one question under way. Await it for the answer, or iterate to see the answer grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Self

from livevlm.client.feed import Feed
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Queued
from livevlm.service.asking import error_from

MOST_WAITING = 64  # pieces of text are joined while they wait; of the rest there are few


class Reply:
    """What `Client.ask` gives at once; the question is on its way.

    `await reply` gives the `Answer`, and raises the error of `livevlm.errors` that says why there is none: the daemon refused
    the question, the answer failed or took too long, the connection was lost for good. One that was cancelled here is given
    with the text that there was. Whoever is cancelled while awaiting has the question cancelled.

    `async for event in reply` gives `Queued`, `Recalled`, `AnswerChunk`s and, last, the `Answer`, also one that failed. It
    raises where there is no answer at all.

    id and stream: the daemon's id of the answer and what it is about, empty until the question was accepted. ended: the answer
    as it ended, however it did.
    """

    def __init__(self, cancel: Callable[[Reply], None]) -> None:
        self.id = ""
        self.stream = ""
        self.cancelled = False
        self.ended: Answer | None = None
        self._cancel = cancel
        self._events: Feed[AnswerEvent] = Feed(MOST_WAITING)
        self._error: LiveVLMError | None = None
        self._over = asyncio.Event()

    def __await__(self) -> Generator[Any, None, Answer]:
        return self._whole().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnswerEvent:
        """The next event. Raises ServerUnreachable when the connection is lost for good before the answer's end."""
        return await anext(self._events)

    async def pieces(self) -> AsyncIterator[str]:
        """The text as it grows; then raises what `await` would. Leaving it early has the question cancelled."""
        try:
            async for event in self:
                if isinstance(event, AnswerChunk):
                    yield event.text
        finally:
            self.cancel()
        self.result()

    def cancel(self) -> None:
        """Have the daemon stop. The answer then ends with status "cancelled", unless it had just ended."""
        if not (self._over.is_set() or self.cancelled):
            self.cancelled = True
            self._cancel(self)

    def result(self) -> Answer:
        """The answer, when it has ended; raises as `await` does."""
        if self._error is not None:
            raise self._error
        answer = self.ended
        assert answer is not None, "the answer has not ended"
        if answer.failure is not None:
            raise error_from(answer.failure)
        if answer.status == "cancelled" and not self.cancelled:
            raise ServerUnreachable("the daemon stopped before the answer was whole; ask again")
        return answer

    async def _whole(self) -> Answer:
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.result()

    def accepted(self, response_id: str, stream: str) -> None:
        """For the connection's reader: the daemon has taken the question."""
        self.id, self.stream = response_id, stream

    def put(self, event: AnswerEvent) -> None:
        """For the connection's reader: one more event."""
        if isinstance(event, Answer):
            self.ended = event
        self._events.put(self._joined(event))
        if isinstance(event, Answer):
            self._events.close()
            self._over.set()

    def fail(self, error: LiveVLMError) -> None:
        """For the connection's reader: there will be no answer."""
        self._error = error
        self._events.close(error)
        self._over.set()

    def _joined(self, event: AnswerEvent) -> AnswerEvent:
        """A piece of text, with the one that still waits to be read; a position in the queue in place of the one before."""
        if not isinstance(event, AnswerChunk | Queued):
            return event
        before = self._events.take_newest()
        if isinstance(event, AnswerChunk) and isinstance(before, AnswerChunk):
            return AnswerChunk(question_id=event.question_id, text=before.text + event.text)
        if before is not None and not (isinstance(event, Queued) and isinstance(before, Queued)):
            self._events.put(before)
        return event
