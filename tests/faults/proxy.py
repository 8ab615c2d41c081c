"""FaultProxy: a TCP connection to an RTSP server on which anything can go wrong, when told."""

from __future__ import annotations

import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.faults.rules import Rule, as_it_is

HOST = "127.0.0.1"
READ_BYTES = 65536
# How often a slowed connection is given its bytes.
TICK_S = 0.02
# SO_LINGER with no time to linger: closing sends a reset instead of an end.
RESET = struct.pack("ii", 1, 0)


class _Pair:
    """A reader's connection and the one to the server that is made for it, if any."""

    def __init__(self, reader: socket.socket, server: socket.socket | None, rule: Rule) -> None:
        self.reader, self.server, self.rule = reader, server, rule
        self.vanished = False
        self.to_reader, self._unparsed = bytearray(), bytearray()
        self.credit, self.credited_s = 0.0, time.monotonic()

    def take(self, data: bytes) -> None:
        """What came from the server, packet for packet by the rule; replies as they are."""
        got = self._unparsed
        got += data
        while got:
            if got[:1] == b"$":
                if len(got) < 4 or len(got) < 4 + (length := struct.unpack_from(">H", got, 2)[0]):
                    return
                for packet in self.rule(bytes(got[: 4 + length])):
                    self.to_reader += packet
                del got[: 4 + length]
                continue
            end = got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(got[: end + 4]).lower()
            _before, _name, length_text = head.partition(b"content-length:")
            whole = end + 4 + int(length_text.split(b"\r\n")[0] or 0)
            if len(got) < whole:
                return
            self.to_reader += got[:whole]
            del got[:whole]


class FaultProxy:
    """Stands before the server at `target` (a port). A context manager; one thread; its port stays the same.

    Everything that is told to it has happened when the call returns. `reply`: what to answer every request with, instead of
    asking the server. `rule`: makes what is done to the packets of each new connection.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._reply: bytes | None = None
        self._silent = self._holding = False
        self._pace: float | None = None
        self._rule: Callable[[], Rule] = lambda: as_it_is
        self._pairs: dict[socket.socket, _Pair] = {}
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]
        self._orders = queue.SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._told, self._wake = socket.socketpair()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._over = False
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        for sock in (self._listener, self._told):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell(self._end)
        self._thread.join()

    def heal(self) -> None:
        """All is well from now on, for new connections and for those whose packets still flow."""
        self._tell(self._heal)

    def refuse(self) -> None:
        """Nobody listens at the port."""
        self._tell(self._deafen)

    def silence(self) -> None:
        """New connections are accepted, and nothing ever comes."""
        self._tell(lambda: setattr(self, "_silent", True))

    def answer(self, reply: bytes) -> None:
        """New connections get this for every request."""
        self._tell(lambda: setattr(self, "_reply", reply))

    def hold(self) -> None:
        """Nothing is passed on to the reader; it comes all at once when healed."""
        self._tell(lambda: setattr(self, "_holding", True))

    def trickle(self, bytes_per_s: float) -> None:
        """Data goes to the reader this slowly, a few bytes at a time."""
        self._tell(lambda: setattr(self, "_pace", bytes_per_s))

    def apply(self, rule: Callable[[], Rule]) -> None:
        """Do this to packets from now on."""
        self._tell(lambda: self._apply(rule))

    def cut(self, *, reset: bool = False) -> None:
        """End every connection, in order or with a reset."""
        self._tell(lambda: [self._drop(pair, reset=reset) for pair in set(self._pairs.values())])

    def vanish(self) -> None:
        """The peer is gone without a word: connections stay open, nothing is passed on, ever, and new ones are silent."""
        self._tell(self._vanish)

    def _tell(self, order: Callable[[], object]) -> None:
        done = threading.Event()
        self._orders.put((lambda: (order(), None)[1], done))
        self._wake.send(b"!")
        assert done.wait(60), "the proxy's thread does not answer"

    def _run(self) -> None:
        while not self._over:
            slow = self._pace is not None and self._pairs
            for key, events in self._selector.select(TICK_S if slow else None):
                if key.fileobj is self._told:
                    self._told.recv(1)
                    order, done = self._orders.get()
                    order()
                    done.set()
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.data in self._pairs.values():
                    self._move(key.data, key.fileobj, events)
            if slow:
                for pair in set(self._pairs.values()):
                    self._move(pair, None, selectors.EVENT_WRITE)

    def _accept(self) -> None:
        try:
            reader, _peer = self._listener.accept()
        except OSError:
            return
        server = None
        if not self._silent and self._reply is None:
            try:
                server = socket.create_connection((HOST, self.target), 10)
            except OSError:  # Nobody behind the proxy is as if nobody was here.
                _reset(reader)
                return
        pair = _Pair(reader, server, self._rule())
        for sock in (reader, server):
            if sock is not None:
                sock.setblocking(False)
                self._pairs[sock] = pair
                self._selector.register(sock, selectors.EVENT_READ, pair)

    def _move(self, pair: _Pair, sock: object, events: int) -> None:
        try:
            if events & selectors.EVENT_READ and isinstance(sock, socket.socket):
                data = sock.recv(READ_BYTES)
                if not data:
                    self._ended(pair, sock)
                    return
                self._pass_on(pair, sock, data)
            self._flush(pair)
        except OSError:
            self._drop(pair)

    def _ended(self, pair: _Pair, sock: socket.socket) -> None:
        if pair.vanished:
            self._selector.unregister(sock)
            del self._pairs[sock]
            sock.close()
        else:
            self._drop(pair)

    def _pass_on(self, pair: _Pair, sock: socket.socket, data: bytes) -> None:
        if pair.vanished:
            return
        if sock is pair.server:
            pair.take(data)
        elif pair.server is not None:
            pair.server.setblocking(True)  # Requests are few and short.
            pair.server.sendall(data)
            pair.server.setblocking(False)
        elif self._reply is not None and b"\r\n\r\n" in data:
            number = data.lower().partition(b"cseq:")[2].split(b"\r\n")[0].strip()
            pair.to_reader += self._reply.replace(b"{cseq}", number)

    def _flush(self, pair: _Pair) -> None:
        if pair.vanished:
            return
        allowed = len(pair.to_reader)
        if self._pace is not None:
            now_s = time.monotonic()
            pair.credit += (now_s - pair.credited_s) * self._pace
            pair.credited_s = now_s
            allowed = min(allowed, int(pair.credit))
            pair.credit -= allowed
        if self._holding:
            allowed = 0
        if allowed:
            try:
                sent = pair.reader.send(pair.to_reader[:allowed])
            except BlockingIOError:
                sent = 0
            del pair.to_reader[:sent]
        waits = bool(pair.to_reader) and not self._holding and self._pace is None
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
        self._selector.modify(pair.reader, events, pair)

    def _heal(self) -> None:
        self._silent = self._holding = False
        self._reply = self._pace = None
        self._apply(lambda: as_it_is)
        for pair in set(self._pairs.values()):
            self._flush(pair)
        if self._listener.fileno() >= 0 and self._listener not in self._selector.get_map():
            self._listener.listen()
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _apply(self, rule: Callable[[], Rule]) -> None:
        self._rule = rule
        for pair in set(self._pairs.values()):
            pair.rule = rule()

    def _deafen(self) -> None:
        self._selector.unregister(self._listener)
        self._listener.close()
        # Bound but not listening: connecting is refused, and nobody else can take the port.
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((HOST, self.port))
        self._listener.setblocking(False)

    def _vanish(self) -> None:
        self._silent = True
        for pair in set(self._pairs.values()):
            pair.vanished = True

    def _drop(self, pair: _Pair, *, reset: bool = False) -> None:
        for sock in (pair.reader, pair.server):
            if sock is not None and self._pairs.pop(sock, None) is not None:
                self._selector.unregister(sock)
                _reset(sock) if reset else sock.close()

    def _end(self) -> None:
        self._over = True
        for pair in set(self._pairs.values()):
            self._drop(pair)
        for sock in (self._listener, self._told, self._wake):
            sock.close()
        self._selector.close()


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()
