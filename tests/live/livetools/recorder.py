"""A small upstream on a raw socket that keeps every request byte for byte and answers, or fails to, as told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

from livetools.wire import Ended
from livetools.wire import Received
from livetools.wire import Stream
from livetools.wire import lines
from livetools.wire import pieces
from livetools.wire import read_request

PATIENCE = 30.0
"""Seconds that a machine may take, however busy it is. Nothing that comes in time waits for them."""
Behaviour = Callable[["Conversation", Received], bool]
"""Answers one request on its connection and says whether the connection may carry another."""


class Conversation:
    """One connection of a recorder, for behaviours to write to."""

    def __init__(self, connection: socket.socket, stopped: threading.Event) -> None:
        self.socket = connection
        self.busy = False
        """Is answering a request and will be done with it at once."""
        self._stopped = stopped

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def wait(self, seconds: float | None = None) -> None:
        """Does nothing for so long, or until the recorder changes its behaviour or stops."""
        self.busy = False
        self.busy = not self._stopped.wait(seconds)

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def reset(self) -> None:
        """Makes the close that follows a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: bytes = b"200 OK", *fields: bytes, body: bytes = b"ok") -> Behaviour:
    """A counted answer; to HEAD without its body."""
    head = lines(b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body))

    def behave(conversation: Conversation, request: Received) -> bool:
        conversation.send(head if request.method == b"HEAD" else head + body)
        return True

    return behave


def raw(data: bytes, *, keep: bool = False) -> Behaviour:
    """Exactly these bytes, whatever they are, then a close unless `keep`."""

    def behave(conversation: Conversation, _request: Received) -> bool:
        conversation.send(data)
        return keep

    return behave


def slow(seconds: float, then: Behaviour | None = None) -> Behaviour:
    """Waits before it answers."""
    reply = then or answer()

    def behave(conversation: Conversation, request: Received) -> bool:
        conversation.wait(seconds)
        return reply(conversation, request)

    return behave


def dribble(data: bytes, pause: float, size: int = 1) -> Behaviour:
    """Sends these bytes in pieces of `size` with a pause before each."""

    def behave(conversation: Conversation, _request: Received) -> bool:
        for piece in pieces(data, size):
            conversation.wait(pause)
            conversation.send(piece)
        return False

    return behave


def hang(conversation: Conversation, _request: Received) -> bool:
    """Reads the request and never answers."""
    conversation.wait()
    return False


def close(_conversation: Conversation, _request: Received) -> bool:
    """Reads the request and closes."""
    return False


def reset(conversation: Conversation, _request: Received) -> bool:
    """Reads the request and resets the connection."""
    conversation.reset()
    return False


class Recorder:
    """Listens on a free loopback port. Use it as a context manager.

    `behave(...)` changes how requests that arrive from then on are answered and closes the connections there are, once
    answers that wait for nothing are out;
    `refuse()` keeps the port but lets nobody connect, until the next `behave(...)`. With `tls` it speaks only that.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self._tls = tls
        self._first = behaviour or answer()
        self._behaviour: Behaviour | None = self._first
        self._received: list[Received] = []
        self._arrived = threading.Condition()
        self._open: set[socket.socket] = set()
        self._conversations: set[Conversation] = set()
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._answered = 0
        self.failures: list[str] = []
        """What no request of a well-behaved client should bring about: half requests, unparsable framing."""
        self._place = self._bind((host, 0))
        """Keeps the port while nobody listens, so that no other program is given it."""
        self.address: tuple[str, int] = self._place.getsockname()[:2]
        self._listen()

    @property
    def port(self) -> int:
        return self.address[1]

    def __str__(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()
        self._place.close()

    def behave(self, behaviour: Behaviour) -> None:
        self._finish_answers()
        self._hang_up()
        self._behaviour = behaviour
        self._listen()

    def refuse(self) -> None:
        self._finish_answers()
        self._behaviour = None
        self._hang_up()

    def restore(self) -> None:
        """As new: the first behaviour, an empty record, and no connection closed without need."""
        if self._behaviour is not self._first:
            self.behave(self._first)
        with self._arrived:
            self._received.clear()

    @property
    def received(self) -> list[Received]:
        with self._arrived:
            return list(self._received)

    @property
    def connections(self) -> int:
        """How many connections have been accepted so far."""
        return self._connections

    def take(self, count: int = 1, timeout: float = PATIENCE) -> list[Received]:
        """Waits for so many requests and takes them out of the record, oldest first."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._received) >= count, timeout):
                raise AssertionError(f"{len(self._received)} of {count} requests within {timeout} s: {self._received}")
            taken, self._received = self._received[:count], self._received[count:]
            return taken

    def wait_for(self, count: int, timeout: float = PATIENCE) -> None:
        """Returns when there are so many requests to be taken, and leaves them."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self._received) >= count, timeout), f"{len(self._received)} came"

    @property
    def answered(self) -> int:
        """How many requests it has done with so far, in whatever way."""
        return self._answered

    def wait_until_answered(self, count: int, timeout: float = PATIENCE) -> None:
        """Returns when it has done with so many requests, taken ones included."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self._answered >= count, timeout), f"answered {self._answered}"

    def one(self, timeout: float = PATIENCE) -> Received:
        return self.take(1, timeout)[0]

    @staticmethod
    def _bind(address: tuple[str, int]) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        return listener

    def _listen(self) -> None:
        self._stopped = threading.Event()
        self._listener = self._bind(self.address)
        self._listener.listen(512)
        if self._tls is not None:
            self._listener = self._tls.wrap_socket(self._listener, server_side=True)
        self._start(self._accept, self._listener, self._stopped)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _finish_answers(self) -> None:
        """A request is on record before it is answered: whoever has seen it may take the answer for given."""
        deadline = time.monotonic() + 1
        while any(conversation.busy for conversation in tuple(self._conversations)) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _hang_up(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(), which close() alone does not
        self._listener.close()
        with self._arrived:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + PATIENCE
        while living := [thread for thread in self._threads if thread.is_alive()]:
            living[0].join(deadline - time.monotonic())
            assert time.monotonic() < deadline, "a recorder's thread did not end"

    def _accept(self, listener: socket.socket, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._arrived:
                if stopped.is_set():
                    connection.close()
                    return
                self._open.add(connection)
                self._connections += 1
                number = self._connections
            self._start(self._serve, connection, number, stopped)

    def _serve(self, connection: socket.socket, number: int, stopped: threading.Event) -> None:
        stream = Stream(connection)
        conversation = Conversation(connection, stopped)
        with self._arrived:
            self._conversations.add(conversation)
        try:
            while message := read_request(stream):
                request = Received(message.head, message.raw_body, message.body, number, time.monotonic())
                with self._arrived:
                    conversation.busy = True
                    self._received.append(request)
                    self._arrived.notify_all()
                behaviour = self._behaviour
                keep = behaviour is not None and behaviour(conversation, request)
                with self._arrived:
                    conversation.busy = False
                    self._answered += 1
                    self._arrived.notify_all()
                if not keep:
                    break
        except (Ended, AssertionError, ValueError) as error:
            if not stopped.is_set():
                self.failures.append(f"connection {number}: {error!r} after {bytes(stream.seen)!r}")
        except OSError:  # the other side hung up on us, or we were told to hang up
            pass
        finally:
            with self._arrived:
                self._open.discard(connection)
                self._conversations.discard(conversation)
            connection.close()
