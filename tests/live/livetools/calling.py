"""Services that call another one through a proxy, as each request's plan says, and the service that they call."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from livetools.recorder import PATIENCE

Made = tuple[str, str, Any]
"""Method, path and JSON of a request that the called service got."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextlib.contextmanager
def serving(
    respond: Callable[[BaseHTTPRequestHandler, bytes], Any], certificate: tuple[Path, Path] | None = None
) -> Iterator[int]:
    """A server of HTTP/1 on a free port; `respond` returns status and JSON, or None if it has responded itself."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def do(self) -> None:
            answer = respond(self, self.rfile.read(int(self.headers.get("content-length", 0))))
            if answer is None:
                return
            status, document = answer
            body = json.dumps(document).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PUT = do

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


class Ledger:
    """The called service. It keeps what it really got; each of its responses has another number."""

    def __init__(self) -> None:
        self.made: list[Made] = []
        self._lock = threading.Lock()

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any] | None:
        with self._lock:
            self.made.append((request.command, request.path, json.loads(body) if body else None))
            number = len(self.made)
        if request.path == "/stream":
            request.send_response_only(200)
            request.send_header("Content-Type", "text/event-stream")
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            request.wfile.write(b"9\r\ndata: 1\n\n\r\n0\r\n\r\n")
            return None
        return 200, {"number": number}


class Planned:
    """A service that does what the plan of its version in each request says, and responds with what it was answered.

    A plan is a list of steps: `[METHOD, URL, JSON or null]`, `["grpc", ADDRESS, text]`, or `["wait", NAME]` and
    `["set", NAME]` for an event that both versions share.
    """

    def __init__(self, version: str, proxy: int, events: dict[str, threading.Event], forwards: str) -> None:
        self.version = version
        self.proxy = proxy
        self.events = events
        self.forwards = forwards
        """The header field that it forwards."""

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        document = json.loads(body)
        id = request.headers.get(self.forwards)
        fields = {self.forwards: id} if id and not document.get("anonymous") else {}
        return 200, [self.step(fields, *each) for each in document[self.version]]

    def step(self, fields: dict[str, str], what: str, where: str, document: Any = None) -> Any:
        if what in ("wait", "set"):
            event = self.events.setdefault(where, threading.Event())
            return event.wait(PATIENCE) if what == "wait" else event.set()
        if what == "grpc":
            return self.call(fields, where, document)
        return self.exchange(fields, what, where, document)

    def exchange(self, fields: dict[str, str], method: str, url: str, document: Any) -> Any:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        connection: http.client.HTTPConnection
        if scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection("127.0.0.1", self.proxy, timeout=PATIENCE, context=context)
            connection.set_tunnel(host)
            target = f"/{path}"
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.proxy, timeout=PATIENCE)
            target = url
        with contextlib.closing(connection):
            body = None if document is None else json.dumps(document)
            kind = {"Content-Type": "application/json"} if body else {}
            connection.request(method, target, body, fields | kind)
            response = connection.getresponse()
            content = response.read()
            json_like = response.headers.get("content-type", "").startswith("application/json")
            return [response.status, json.loads(content) if json_like else content.decode()]

    def call(self, fields: dict[str, str], address: str, text: str) -> str:
        options = [("grpc.http_proxy", f"http://127.0.0.1:{self.proxy}"), ("grpc.enable_http_proxy", 1)]
        with grpc.insecure_channel(address, options) as channel:
            unary = channel.unary_unary("/test.Shop/Unary")
            try:
                reply: bytes = unary(text.encode(), metadata=tuple(fields.items()), timeout=PATIENCE)
            except grpc.RpcError as error:
                return str(error.code())  # type: ignore[attr-defined]
            return reply.decode()
