"""Clients that send exactly the bytes they are given, and one that speaks HTTP/2."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from dataclasses import field
from typing import Self

import h2.config
import h2.connection
import h2.events
from livetools.recorder import PATIENCE
from livetools.wire import Response
from livetools.wire import Stream
from livetools.wire import lines
from livetools.wire import read_response

Fields = list[tuple[bytes, bytes]]


class Client:
    """One HTTP/1 connection. Use it as a context manager."""

    def __init__(self, address: tuple[str, int], timeout: float = PATIENCE) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.stream = Stream(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def exchange(self, request: bytes) -> Response:
        """Sends these bytes and reads one answer."""
        self.send(request)
        return read_response(self.stream, request.split(b" ", 1)[0])


def exchange(address: tuple[str, int], request: bytes, timeout: float = PATIENCE) -> Response:
    """One request on a connection of its own."""
    with Client(address, timeout) as client:
        return client.exchange(request)


@dataclass(slots=True)
class Answer:
    """An HTTP/2 answer."""

    headers: Fields = field(default_factory=list)
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(dict(self.headers)[b":status"])


_FRAME = 16 * 1024


class Client2:
    """One HTTP/2 connection over TLS through a CONNECT to the proxy; the proxy's certificate is not checked."""

    def __init__(self, proxy: tuple[str, int], host: str, timeout: float = PATIENCE) -> None:
        plain = socket.create_connection(proxy, timeout)
        self.host = host.encode()
        plain.sendall(lines(b"CONNECT %b:443 HTTP/1.1" % self.host, b"Host: %b:443" % self.host))
        connected = read_response(Stream(plain), b"HEAD")
        assert connected.status == 200, connected
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(plain, server_hostname=host)
        assert self.socket.selected_alpn_protocol() == "h2"
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self._h2.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _flush(self) -> None:
        self.socket.sendall(self._h2.data_to_send())

    def exchange(
        self,
        method: bytes,
        path: bytes,
        fields: Fields | None = None,
        body: bytes = b"",
        trailers: Fields | None = None,
    ) -> Answer:
        """One request; a body (of less than 64 KiB) goes without Content-Length unless `fields` has one."""
        pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", self.host), (b":path", path)]
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, pseudo + (fields or []), end_stream=not (body or trailers))
        for at in range(0, len(body), _FRAME):
            last = at + _FRAME >= len(body)
            self._h2.send_data(stream, body[at : at + _FRAME], end_stream=last and not trailers)
        if trailers:
            self._h2.send_headers(stream, trailers, end_stream=True)
        self._flush()
        answer = Answer()
        while True:
            data = self.socket.recv(65536)
            assert data, "the proxy closed the HTTP/2 connection"
            for event in self._h2.receive_data(data):
                match event:
                    case h2.events.ResponseReceived(stream_id=number) if number == stream:
                        answer.headers = list(event.headers)
                    case h2.events.DataReceived(stream_id=number) if number == stream:
                        answer.body += event.data
                        self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
                    case h2.events.StreamEnded(stream_id=number) if number == stream:
                        self._flush()
                        return answer
                    case h2.events.StreamReset(stream_id=number) if number == stream:
                        raise ConnectionError(f"stream reset: {event.error_code}")
            self._flush()
