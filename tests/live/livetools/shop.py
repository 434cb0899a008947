"""A gRPC server of raw messages that keeps each call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any
from typing import Self

import grpc
from livetools.recorder import PATIENCE

Call = tuple[str, list[bytes], dict[str, str]]


class Shop:
    """Keeps of each call its method, messages and metadata. `prefix` stands before each of its messages."""

    def __init__(self, prefix: bytes, certificate: tuple[Path, Path] | None = None) -> None:
        self.prefix = prefix
        self.calls: list[Call] = []
        self.ended: list[str] = []
        """How calls of `Hang` ended."""
        self._arrived = threading.Condition()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    "test.Shop",
                    {
                        "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
                        "Collect": grpc.stream_unary_rpc_method_handler(self._collect),
                        "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
                        "Feed": grpc.unary_stream_rpc_method_handler(self._feed),
                        "Hang": grpc.stream_stream_rpc_method_handler(self._hang),
                        "Refuse": grpc.unary_unary_rpc_method_handler(self._refuse),
                    },
                )
            ]
        )
        if certificate is None:
            self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        else:
            chain, key = (path.read_bytes() for path in certificate)
            self.port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait(5)

    def _keep(self, method: str, messages: list[bytes], context: Any) -> None:
        with self._arrived:
            self.calls.append((method, messages, dict(context.invocation_metadata())))
            self._arrived.notify_all()

    def _unary(self, message: bytes, context: Any) -> bytes:
        self._keep("Unary", [message], context)
        return self.prefix + message

    def _collect(self, messages: Iterator[bytes], context: Any) -> bytes:
        collected = list(messages)
        self._keep("Collect", collected, context)
        return self.prefix + b"%d" % len(collected)

    def _chat(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        heard = []
        for message in messages:
            heard.append(message)
            yield self.prefix + message
        self._keep("Chat", heard, context)

    def _feed(self, message: bytes, context: Any) -> Iterator[bytes]:
        self._keep("Feed", [message], context)
        context.set_trailing_metadata((("x-fed", "3"),))
        for number in range(3):
            yield self.prefix + message + b"%d" % number

    def _hang(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        """One response message, and then none until the client gives up.

        grpc does not come back to a generator whose call has ended: the callback says how it ended.
        """
        first = next(messages)
        gone = threading.Event()

        def end() -> None:
            gone.set()
            with self._arrived:
                self.ended.append("gone")
                self._arrived.notify_all()

        context.add_callback(end)
        self._keep("Hang", [first], context)
        yield self.prefix + first
        gone.wait(PATIENCE)

    def _refuse(self, message: bytes, context: Any) -> bytes:
        self._keep("Refuse", [message], context)
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "closed today")

    def one(self) -> Call:
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.calls, PATIENCE), "no call"
            return self.calls.pop(0)

    def end(self) -> str:
        """How a call of `Hang` ended."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.ended, PATIENCE), "no end"
            return self.ended.pop(0)
