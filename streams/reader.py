"""StreamReader: the thread that keeps one stream coming, whatever happens to its source."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from streams.address import parse_address
from streams.chronicle import Chronicle
from streams.comeback import Comeback
from streams.continuity import Continuity
from streams.drift import Drift
from streams.errors import (
    AddressUnsupported,
    AuthenticationFailed,
    ConnectionFailed,
    SourceEnded,
    SourceStalled,
    SourceTimedOut,
    StreamError,
)
from streams.frame import Frame
from streams.gate import Gate
from streams.journal import Journal, ReaderStatus
from streams.mailbox import Mailbox
from streams.orders import Orders
from streams.pace import Pace
from streams.reading import ReaderOptions
from streams.sampler import Sampler
from streams.viewing import Viewing

logger = logging.getLogger(__name__)

# How often a thread that waits for room looks whether it was told to stop.
PUT_PATIENCE_S = 0.2
# Unexpected errors whose traceback is logged; the same ones come back with every opening.
TRACEBACKS = 10


def _nothing() -> None:
    """Wake nobody."""


class StreamReader:
    """Reads one stream on a thread of its own and puts its sampled frames into `mailbox`, calling `wake` after each.

    A live source that is lost is opened again, for ever; stream time and frame numbers go on. A recording ends, or fails where
    opening it again would not help. `wake` is also called when it is over. Making one raises AddressUnsupported.

    `pause` and `resume` may be called from any thread, as often as one likes, and wait for nothing. A paused live source is
    closed; it is opened again as after a loss: its time goes on by what passed. A paused recording stays open where it is, and
    goes on with the next picture and the next moment; so does standard input, whose writer waits meanwhile. viewing: of a
    recording, where it begins, and whether it came to the end.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        mailbox: Mailbox,
        options: ReaderOptions | None = None,
        wake: Callable[[], None] = _nothing,
    ) -> None:
        self._url = url
        self._address = parse_address(url)
        self._name = name
        self._mailbox = mailbox
        self._options = options or ReaderOptions()
        self._wake = wake
        self._sampler = Sampler(self._options.fps)
        self.viewing = Viewing(self._sampler)
        self._journal = Journal(
            Chronicle(name, self._address.shown),
            utc=self._options.source.clock,
            monotonic=self._options.monotonic,
        )
        self._gate = Gate(self._options.gate, self._options.gate_longest_s)
        self._drift = Drift()
        self._puzzles: set[str] = set()
        self._continuity = Continuity()
        self._live = self._address.live
        # Standard input can be read once: its end is the end, and it is never given up.
        self._once = self._address.kind == "pipe"
        self._orders = Orders()
        self._comeback = Comeback(self._address, self._options, self._orders)
        self._commanding = threading.Lock()
        self._fresh = True
        self._last_sign_s: float | None = None
        speed = self._options.speed
        self._pace = None if speed == "max" else Pace(speed)
        self._thread = threading.Thread(target=self._run, name=f"stream-{name}", daemon=True)

    @property
    def source(self) -> str:
        """The address without its credentials."""
        return self._address.shown

    def start(self) -> None:
        """Begin reading. Once only."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End reading and wait up to `timeout` seconds for it. False where the thread still hangs in a call of libav's.

        Such a thread ends by itself when its timeout is over, puts no more frames, and does not keep the process alive.
        """
        self._orders.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            logger.warning("stream %s: still opening %s; left to itself", self._name, self.source)
        self._journal.tell("end")
        return not self._thread.is_alive()

    def pause(self) -> None:
        """Rest until `resume`; nothing where it is over. At most the frame that is under way still comes."""
        with self._commanding:
            if self._journal.tell("pause"):
                self._orders.pause()

    def resume(self) -> None:
        """Go on; nothing where it is not paused."""
        with self._commanding:
            if self._journal.tell("resume"):
                self._orders.resume()

    def status(self) -> ReaderStatus:
        """What is known now; from any thread."""
        self._listen()
        return self._journal.status(self._mailbox, live=self._live, drift=self._drift.reading)

    def _run(self) -> None:
        try:
            if self.viewing.over:
                self._journal.tell("end")
                return
            while self._orders.rest() and self._again(self._read_once()):
                pass
        finally:
            self._wake()

    def _again(self, error: StreamError | None) -> bool:
        """Whether the source is to be opened again after it ended so; waits for it as long as is fit."""
        if self._orders.stopping:
            return False
        if self._orders.leaving and not self._holds():
            return True
        if error is None:
            if not self._options.loop:
                self.viewing.finished = True
                self._journal.tell("end")
            return self._options.loop
        if self._is_final(error):
            self._journal.tell("failure", error)
            return False
        if self._orders.leaving:
            return True
        delay_s = self._comeback.delay_s(refused=isinstance(error, AuthenticationFailed))
        self._journal.tell("loss", error, delay_s)
        self._comeback.wait(delay_s)
        return True

    def _is_final(self, error: StreamError) -> bool:
        if isinstance(error, AddressUnsupported) or self._once:
            return True
        if self._live:
            return False
        # A recording on a server may come into reach; one that broke off would begin from its start.
        passing = isinstance(error, ConnectionFailed | SourceTimedOut)
        return not (passing and self._address.kind == "network" and not self._journal.seen)

    def _read_once(self) -> StreamError | None:
        """Open the source and read it until it is over: why, or None where a recording came to its end."""
        self._fresh = True
        self._last_sign_s = None
        self._continuity.reopen()
        self._gate.forget()
        self._drift.restart()
        self._journal.trying()
        options = replace(
            self._options.source,
            keep=self._keep,
            due=self._due,
            on_held=self._hear,
            behind=self.viewing.behind,
            on_drop=self._lose,
            cancelled=self._cancelled,
        )
        try:
            with self._options.opener(self._url, name=self._name, options=options) as source:
                self._live = source.live
                self._last_sign_s = self._options.monotonic()
                for frame in source:
                    self._deliver(self._continuity.move(frame))
        except StreamError as error:
            return error
        except Exception as error:  # The border where a stream ends: no source may end the daemon.
            self._log_puzzle(error)
            return StreamError(f"{self.source}: unexpected error; the log holds its traceback")
        finally:
            if not self._orders.stopping:
                self._journal.settle()
        return self._loss()

    def _log_puzzle(self, error: Exception) -> None:
        """The traceback of an error that nobody thought of, once for each kind."""
        puzzle = f"{type(error).__name__}: {error}"
        if puzzle not in self._puzzles and len(self._puzzles) < TRACEBACKS:
            self._puzzles.add(puzzle)
            logger.exception("stream %s: unexpected error", self._name)

    def _loss(self) -> StreamError | None:
        if self._holds() or self._orders.leaving:
            return None
        if self._stalled():
            silence = f"no picture for {self._options.stall_timeout_s:g} s, though data comes"
            return SourceStalled(f"{self.source}: {silence}; check the camera")
        return SourceEnded(
            f"{self.source} stopped sending; check the camera if it does not come back"
        )

    def _due(self, pts_s: float, keyframe: bool) -> bool:
        """Whether a picture that is not decoded yet would be sampled."""
        placed_s = self._continuity.peek(pts_s)
        if keyframe:
            self._sampler.draw(placed_s)
        return self._sampler.due(placed_s)

    def _hear(self) -> None:
        """Take note of a picture that came and is not decoded, or not yet."""
        self._last_sign_s = self._options.monotonic()
        self._journal.hear()

    def _lose(self, reason: str) -> None:
        """Take note of a picture that did not come out of the decoder."""
        self._journal.lose(reason)
        if reason == "before_keyframe":
            # It will come: a stall timeout shorter than the wait for a keyframe would open the source again and again.
            self._last_sign_s = self._options.monotonic()

    def _keep(self, pts_s: float) -> bool:
        """Take note of a decoded picture; whether it is sampled."""
        if not self._held():
            return False
        now_s = self._last_sign_s = self._options.monotonic()
        placed_s = self._continuity.place(pts_s, now_s, live=self._live)
        if self._live:
            self._drift.note(now_s, placed_s)
        if not self._orders.leaving:
            if self._fresh:
                self._fresh = False
                self._comeback.succeeded()
            self._journal.tell("picture")
        kept = self._sampler.keep(placed_s)
        self._journal.come(kept=kept)
        return kept

    def _deliver(self, frame: Frame) -> None:
        if not self._gate.passes(frame):
            self._journal.let_go("similar")
            return
        if self._pace is not None and not self._live:
            frame = self._paced(frame, self._pace)
        while self._held():
            if self._mailbox.put(frame, PUT_PATIENCE_S):
                self._journal.hand_over()
                self._wake()
                return
            if self._mailbox.closed:
                self._orders.stop()
            if self._orders.leaving and not self._holds():
                self._journal.let_go("backpressure")
                return

    def _paced(self, frame: Frame, pace: Pace) -> Frame:
        """The frame at the moment it is due, which is when it counts as captured."""
        while self._held():
            if not self._orders.nap(pace.left_s(frame.pts_s, self._options.monotonic())):
                break
        return replace(frame, captured_utc=self._options.source.clock())

    def _held(self) -> bool:
        """Hold a source that is not closed for a pause where it is; False where the thread is to end."""
        if not self._orders.leaving or not self._holds():
            return not self._orders.stopping
        began_s = self._options.monotonic()
        go_on = self._orders.rest()
        if self._pace is not None:
            self._pace.put_off(self._options.monotonic() - began_s)
        self._last_sign_s = self._options.monotonic()
        return go_on

    def _holds(self) -> bool:
        """Whether a pause holds the source where it is: a recording goes on there, and what comes only once is not left."""
        return self._once or not self._live

    def _silent_for(self) -> float:
        """Seconds since the last sign of a picture from an opened live source, else 0."""
        since_s = self._last_sign_s
        # A folder has no rate: the next picture in it may come tomorrow.
        if since_s is None or not self._live or self._address.kind == "folder":
            return 0.0
        return self._options.monotonic() - since_s

    def _listen(self) -> None:
        """Take note where no picture has come for too long; whoever looks does, for the thread may hang in a read."""
        if self._silent_for() > self._options.stall_timeout_s / 2:
            self._journal.tell("silence")

    def _stalled(self) -> bool:
        return not self._once and self._silent_for() > self._options.stall_timeout_s

    def _cancelled(self) -> bool:
        """Asked between packets: whether the opening is over."""
        self._listen()
        orders = self._orders
        return orders.stopping or self._stalled() or (orders.leaving and not self._holds())
