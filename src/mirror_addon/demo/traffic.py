"""The requests that the demo sends, and the client that sends them."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from mirror_addon.demo.upstreams import Response

HOST = "istio.gateway.xxxx.tech"
PREFIX = "/serviceB"
PATIENCE = 10.0
"""Seconds to wait for what normally takes milliseconds, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that the demo sends. `path` follows the example's prefix; a chunked body has no Content-Length."""

    method: str
    path: str
    kind: str = ""
    body: bytes | None = None
    chunked: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """A description of the body, or empty."""
        if self.body is None:
            return ""
        kind = {"application/json": "JSON", "application/x-www-form-urlencoded": "form"}.get(self.kind, "binary")
        return f"{kind}, {len(self.body)} B{', chunked' if self.chunked else ''}"


ASKS = (
    Ask("GET", "/request/info"),
    Ask("GET", "/orders?status=open&q=%7E"),
    Ask("GET", "/orders/17", fields={"Accept": "application/json", "X-Forwarded-For": "10.10.2.151"}),
    Ask("HEAD", "/orders"),
    Ask("POST", "/orders", "application/json", b'{"article": "tea", "quantity": 3}'),
    Ask("PUT", "/orders/17", "application/json", b'{"status": "paid"}'),
    Ask("DELETE", "/orders/18"),
    Ask("POST", "/login", "application/x-www-form-urlencoded", b"user=ada&password=l%C3%B6ve"),
    Ask("POST", "/uploads", "application/octet-stream", bytes(range(256)) * 300, chunked=True),
    Ask("GET", "/users/7", fields={"Authorization": "Bearer not-a-secret", "Cookie": "session=b1"}),
    Ask("GET", "/reports/monthly"),
    Ask("GET", "/no/such/page"),
)


@dataclass(frozen=True, slots=True)
class Got:
    """The response that the client got, and after how many seconds."""

    response: Response
    seconds: float


def send(proxy: tuple[str, int], ask: Ask) -> Got:
    """Send one request through the proxy, on a connection of its own. Raises OSError or http.client.HTTPException."""
    fields = {**({"Content-Type": ask.kind} if ask.kind else {}), **ask.fields}
    body: bytes | Iterator[bytes] | None = ask.body
    if ask.chunked and ask.body is not None:
        body = iter([ask.body[:1000], ask.body[1000:]])
    connection = http.client.HTTPConnection(*proxy, timeout=PATIENCE)
    with contextlib.closing(connection):
        started = time.perf_counter()
        connection.request(ask.method, f"http://{HOST}{PREFIX}{ask.path}", body, fields, encode_chunked=ask.chunked)
        response = connection.getresponse()
        content = response.read()
        return Got(Response(response.status, dict(response.getheaders()), content), time.perf_counter() - started)
