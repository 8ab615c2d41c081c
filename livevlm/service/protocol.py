"""The protocol of one session, without a socket or a thread: what came in, to what goes out and what is to be done.

    for output in session.receive(text):
        Submit(question)     hand it to the engine, then tell `accepted` or `refused`, and send what they return
        Cancel(question_id)  tell the engine
        Run(id, errand)      hand it to the engine, then give `settled` its result, or why there is none
        Alter(id, change)    have it made, then give `settled` what came of it, or why nothing did
        Order(id, order)     the same, of watches
        Close(code, reason)  close the connection as soon as what was said is sent
        Resume(token, ...)   have the session of that token go on here (`resumed`), or say why not (`refused_resume`)
        anything else        an event to send

`notice` looks for what subscribers are to be told, `hear` takes what watches tell. What the engine says about questions goes to
`deliver`. Every accepted question gets exactly one response.done, every errand, change and order one event; nothing that a
client sends makes a session raise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from livevlm.changes import AddStream, Change, PauseStream, RemoveStream, ResumeStream
from livevlm.errors import LiveVLMError, QueueFull, ResponseNotFound
from livevlm.messages import Answer, AnswerEvent, Question, StreamStatus
from livevlm.service.commands import (
    Command,
    MemoryClear,
    MemoryCommand,
    MemorySearch,
    MemoryStats,
    Ping,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    StreamList,
    Subscribe,
    event_id_of,
    read_command,
    read_message,
)
from livevlm.service.conversation import (
    Conversation,
    earlier_exchanges,
    obey,
    question_text,
)
from livevlm.service.errands import errand_from
from livevlm.service.events import (
    AnswerEvents,
    Envelopes,
    error_json,
    outcome_json,
    random_id,
    session_json,
)
from livevlm.service.fields import InvalidRequest, shown
from livevlm.service.items import ItemCreate, ItemDelete, ItemRetrieve, Message
from livevlm.service.limits import Allowance
from livevlm.service.naming import choose_stream, known_stream
from livevlm.service.options import AskOptions, SessionOptions, question_from
from livevlm.service.outputs import Alter, Cancel, Close, Order, Outcome, Output, Run, Submit
from livevlm.service.resumption import NotResumable, Resume, Ticket
from livevlm.service.streams import News, changed_json
from livevlm.service.view import View, frames_behind, listed_json, stream_names
from livevlm.service.watches import (
    WatchCommand,
    WatchCreate,
    WatchDelete,
    WatchList,
    order_from,
    told_json,
)
from livevlm.service.wire import Json, JsonObject
from livevlm.watching.orders import Dropped, Made
from livevlm.watching.watch import WatchEvent

__all__ = [
    "Alter",
    "Cancel",
    "Close",
    "Order",
    "Outcome",
    "Output",
    "Run",
    "Session",
    "SessionOptions",
    "Submit",
]


MOST_OWN_WATCHES = 10_000  # of which a client hears though it has not subscribed; the newest
NO_EVENT = ("invalid_json", "unknown_event")


class Session:
    """One client's half of a conversation with the daemon."""

    def __init__(
        self,
        view: View,
        *,
        options: SessionOptions,
        new_id: Callable[[str], str] = random_id,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: POSIX seconds, for what events tell. monotonic: seconds, for the limits."""
        self._view = view
        self._limit = options.max_questions
        self._limits = options.limits
        self._allowance = Allowance(options.limits, monotonic)
        self._options = self._within_limits(options.defaults)
        self._stream = options.stream
        self._new_id = new_id
        self._envelopes = Envelopes(new_id=new_id, clock=clock)
        self._id = new_id("sess")
        self._conversation = Conversation(new_id("conv"))
        self._asked: dict[str, AnswerEvents] = {}
        self._errands: dict[str, str | None] = {}
        self._news: News | None = None
        self._topics: tuple[str, ...] = ()
        self._own_watches: dict[str, None] = {}  # in the order of their making
        self._leaving: str | None = None
        self._received = 0

    @property
    def open_questions(self) -> int:
        """Questions that wait for their response.done, and errands that wait for their result."""
        return len(self._asked) + len(self._errands)

    @property
    def subscribed(self) -> bool:
        """Whether the client is to be told what happens to streams."""
        return self._news is not None

    def opened(self, ticket: Ticket | None = None) -> list[Output]:
        """What a client hears first. ticket: what the session may be resumed with."""
        session = self._session_json() if ticket is None else ticket.told(self._session_json())
        events: list[Output] = [self._make("session.created", session=session)]
        if self._stream is not None:
            try:
                known_stream(self._stream, stream_names(self._view), param="stream")
            except LiveVLMError as error:
                events.append(self._error(error, None))
        return events

    def receive(self, message: str | bytes) -> list[Output]:
        """One message of the client. After a `Close` nothing more is listened to."""
        self._received += 1
        if self._allowance.end is not None:
            return []
        event_id: str | None = None
        too_fast = self._allowance.message()
        try:
            value = read_message(message)
            event_id = event_id_of(value)
            if too_fast is not None:
                raise too_fast
            command = read_command(value)
            if isinstance(command, Resume) and self._received > 1:
                raise NotResumable("session.resume must be the first event of a connection")
            return self._obey(command, event_id)
        except LiveVLMError as error:
            if error.code in NO_EVENT:
                self._allowance.malformed()
            end = self._allowance.end
            return [self._error(error, event_id), *([] if end is None else [end])]

    def resumed(self, wish: Resume, ticket: Ticket, *, replayed: int) -> JsonObject:
        """The client goes on with this session: what it hears before the events that it missed. `seq` is that of the last event
        that it has seen, once more. `received` counts the client's messages that have come: it sends those after them again.
        """
        told = self._make(
            "session.resumed",
            client_event_id=wish.event_id,
            session=ticket.told(self._session_json()),
            last_seq=wish.last_seq,
            received=self._received,
            replayed=replayed,
        )
        return {**told, "seq": wish.last_seq}

    def refused_resume(self, wish: Resume, error: LiveVLMError) -> list[Output]:
        """The session that the client wants to go on with cannot be resumed; this one goes on."""
        return [self._error(error, wish.event_id)]

    def accepted(self, question_id: str) -> list[Output]:
        """The engine took the question."""
        return [*self._asked[question_id].created()]

    def refused(self, question_id: str, error: LiveVLMError) -> list[Output]:
        """The engine did not take the question."""
        asked = self._asked.pop(question_id)
        return [self._error(error, asked.client_event_id)]

    def deliver(self, event: AnswerEvent) -> list[Output]:
        """What the engine says about a question. About one that is over, or was never asked, there is nothing to send."""
        asked = self._asked.get(event.question_id)
        if asked is None:
            return []
        if not isinstance(event, Answer):
            return [*asked.take(event)]
        del self._asked[event.question_id]
        told = asked.take(event, frames_behind=frames_behind(self._view, asked.question.stream))
        if asked.in_conversation and asked.text is not None:
            self._conversation.add(Message(role="assistant", text=asked.text, id=asked.item_id))
        return [*told]

    def settled(self, errand_id: str, result: Outcome) -> list[Output]:
        """What came of an errand, a change or an order."""
        event_id = self._errands.pop(errand_id)
        if isinstance(result, LiveVLMError):
            return [self._error(result, event_id)]
        if isinstance(result, Made):
            self._own_watches[result.status.watch.id] = None
            if len(self._own_watches) > MOST_OWN_WATCHES:
                del self._own_watches[next(iter(self._own_watches))]
        if isinstance(result, Dropped):
            self._own_watches.pop(result.status.watch.id, None)
        kind, fields = outcome_json(result)
        return [self._make(kind, client_event_id=event_id, **fields)]

    def hear(self, event: WatchEvent) -> list[Output]:
        """A watch tells something: so is a client that has subscribed, or has made the watch."""
        if "watch" not in self._topics and event.watch.id not in self._own_watches:
            return []
        kind, fields = told_json(event)
        return [self._make(kind, **fields)]

    def notice(self, statuses: Sequence[StreamStatus]) -> list[Output]:
        """The streams are so now: what a subscriber is to hear of it."""
        news = [] if self._news is None else self._news.of(statuses)
        return [self._make(kind, **fields) for kind, fields in map(changed_json, news)]

    def going_away(self, *, time_left_s: float, reason: str) -> list[Output]:
        """The daemon stops soon: tell it, and accept no more questions."""
        self._leaving = reason
        return [self._make("session.going_away", time_left_s=time_left_s, reason=reason)]

    def closed(self) -> list[Output]:
        """The client has left, or is to be left: nobody waits for its answers any more."""
        return [Cancel(question_id) for question_id in self._asked]

    def _obey(self, command: Command, event_id: str | None) -> list[Output]:
        match command:
            case Resume():
                return [command]
            case ResponseCreate():
                return [Submit(self._ask(command, event_id))]
            case ResponseCancel():
                return self._cancel(command.response_id)
            case ItemCreate() | ItemRetrieve() | ItemDelete():
                told = obey(command, self._conversation, self._new_id)
                return [self._make(kind, **fields) for kind, fields in told]
            case SessionUpdate():
                return self._update(command)
            case StreamList():
                told_streams = listed_json(self._view)
                return [self._make("stream.listed", client_event_id=event_id, **told_streams)]
            case MemoryStats() | MemorySearch() | MemoryClear():
                return [self._run(command, event_id)]
            case AddStream() | RemoveStream() | PauseStream() | ResumeStream():
                return [self._alter(command, event_id)]
            case WatchCreate() | WatchList() | WatchDelete():
                return [self._order(command, event_id)]
            case Subscribe():
                self._topics = command.topics
                self._news = News(self._view.streams()) if "stream" in command.topics else None
                return [
                    self._make("subscribed", client_event_id=event_id, topics=[*command.topics])
                ]
            case Ping():
                return [self._make("pong", client_event_id=event_id)]

    def _ask(self, command: ResponseCreate, event_id: str | None) -> Question:
        self._refuse_if_busy()
        self._refuse_a_second(command)
        options = self._within_limits(command.options.over(self._options))
        messages, param = command.messages, "response.input"
        if messages is None:
            messages, param = self._conversation.messages, "response"
        text = question_text(messages, options.instructions, param=param)
        stream = choose_stream(
            self._stream if command.stream is None else command.stream, stream_names(self._view)
        )
        self._allowance.question()
        question = question_from(
            text,
            question_id=self._new_id("resp"),
            stream=stream,
            time=command.time,
            options=options,
            earlier=earlier_exchanges(messages, options.history_turns or 0),
            asker=self._id,
        )
        self._asked[question.id] = AnswerEvents(
            question,
            envelopes=self._envelopes,
            item_id=self._new_id("item"),
            conversation_id=self._conversation.id if command.in_conversation else None,
            metadata=command.options.metadata,
            client_event_id=event_id,
        )
        return question

    def _run(self, command: MemoryCommand, event_id: str | None) -> Run:
        self._refuse_if_busy()
        errand = errand_from(command, stream_names(self._view), default=self._stream)
        if isinstance(command, MemorySearch):
            self._allowance.question()
        return Run(self._errand_id(event_id), errand)

    def _alter(self, change: Change, event_id: str | None) -> Alter:
        self._refuse_if_busy()
        return Alter(self._errand_id(event_id), change)

    def _order(self, command: WatchCommand, event_id: str | None) -> Order:
        self._refuse_if_busy()
        order = order_from(command, stream_names(self._view), default=self._stream)
        return Order(self._errand_id(event_id), order)

    def _errand_id(self, event_id: str | None) -> str:
        errand_id = self._new_id("errand")
        self._errands[errand_id] = event_id
        return errand_id

    def _refuse_if_busy(self) -> None:
        if self._leaving is not None:
            raise InvalidRequest(
                f"the daemon is stopping: {self._leaving}", code="going_away", kind="server_error"
            )
        if not self._view.ready():
            raise InvalidRequest(
                "the model is still loading; ask again soon",
                code="model_loading",
                kind="server_error",
            )
        if self.open_questions >= self._limit:
            raise QueueFull(
                f"{self.open_questions} questions of this client wait already; no more may"
            )

    def _refuse_a_second(self, command: ResponseCreate) -> None:
        if command.in_conversation and any(asked.in_conversation for asked in self._asked.values()):
            raise InvalidRequest(
                "an answer in this conversation is not done yet; wait for it, cancel it, or ask beside "
                'it with response.conversation "none"',
                param="response.conversation",
                code="response_already_active",
            )

    def _cancel(self, response_id: str | None) -> list[Output]:
        if response_id is None:
            response_id = next(reversed(self._asked), None)
            if response_id is None:
                raise ResponseNotFound("no answer is in progress")
        asked = self._asked.get(response_id)
        if asked is None:
            raise ResponseNotFound(f"no answer {shown(response_id)} is in progress")
        asked.cancel_asked = True
        return [Cancel(response_id)]

    def _update(self, command: SessionUpdate) -> list[Output]:
        if command.stream is not None:
            self._stream = known_stream(
                command.stream, stream_names(self._view), param="session.livevlm.streams"
            )
        self._options = self._within_limits(command.options.over(self._options))
        return [self._make("session.updated", session=self._session_json())]

    def _within_limits(self, options: AskOptions) -> AskOptions:
        return replace(options, max_tokens=self._limits.tokens(options.max_tokens))

    def _session_json(self) -> JsonObject:
        return session_json(
            self._id,
            info=self._view.info(),
            options=self._options,
            streams=stream_names(self._view),
            stream=self._stream,
        )

    def _error(self, error: LiveVLMError, event_id: str | None) -> JsonObject:
        return self._make("error", error=error_json(error, event_id))

    def _make(self, kind: str, **fields: Json) -> JsonObject:
        return self._envelopes.make(kind, **fields)
