"""A small ext_proc server that keeps what Envoy shows it, for tests of what an export promises."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any
from typing import Self

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

from mirror_addon.protos.files import read_protos

_PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_NAMESPACE = "envoy.filters.http.ext_proc"


@cache
def _request_type() -> Any:
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(read_protos((str(Path(__file__).with_name("ext_proc.proto")),)))
    for each in files.file:
        pool.Add(each)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("envoytools.ProcessingRequest"))


@dataclass
class Exchange:
    """One stream: what was seen of a request and its response. `kinds` are the messages in their order."""

    metadata: dict[str, str]
    kinds: list[str] = field(default_factory=list)
    request: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    request_body: bytes = b""
    response_body: bytes = b""
    attributes: dict[str, Any] = field(default_factory=dict)
    observed: bool = True

    def see(self, message: Any) -> bool:
        """Take in a message. Return whether it ends the response."""
        kind = message.WhichOneof("request")
        part = getattr(message, kind)
        self.kinds.append(kind)
        self.observed = self.observed and message.observability_mode
        for name, value in message.attributes[_NAMESPACE].items() if _NAMESPACE in message.attributes else ():
            self.attributes[name] = value
        direction = kind.partition("_")[0]
        if kind.endswith("headers"):
            pairs = {each.key: each.raw_value.decode() for each in part.headers.headers}
            getattr(self, direction).update(pairs)
        elif kind.endswith("body"):
            setattr(self, kind, getattr(self, kind) + part.body)
        return kind == "response_trailers" or (direction == "response" and part.end_of_stream)


class Observer:
    """Listens on a free loopback port. Use it as a context manager. `exchanges` are those whose response has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._server = grpc.server(ThreadPoolExecutor(32))
        handler = grpc.stream_stream_rpc_method_handler(self._process, request_deserializer=_request_type().FromString)
        service, _, method = _PROCESS[1:].partition("/")
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def exchanges(self) -> list[Exchange]:
        with self._lock:
            return list(self._exchanges)

    def _process(self, requests: Iterable[Any], context: grpc.ServicerContext) -> Iterator[bytes]:
        exchange = Exchange({name: str(value) for name, value in context.invocation_metadata()})
        for message in requests:
            if exchange.see(message):
                with self._lock:
                    self._exchanges.append(exchange)
                return
        yield from ()
