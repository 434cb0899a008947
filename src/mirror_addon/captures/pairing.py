"""Two captures of the same requests as pairs of responses, for `mirror-addon diff`.

Requests are paired by method and URL, those of GraphQL by their operation too; of several that are equal, the first
with the first, the second with the second, and so on, in the order in which they began. The two captures are read
alternately, so that only what has no counterpart yet is held.
"""

from __future__ import annotations

from collections import Counter
from collections import OrderedDict
from collections import deque
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from mitmproxy import http

from mirror_addon.admission.when import When
from mirror_addon.captures.by_start import by_start
from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.reading import SHADOW_MARKER
from mirror_addon.captures.reading import read_capture
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.graphql import MAX_REQUEST
from mirror_addon.compare.graphql import Operation
from mirror_addon.compare.graphql import operation_of
from mirror_addon.flows import heads
from mirror_addon.flows.primary import primary_end
from mirror_addon.host.upstream_clock import exchange_times
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.subject import url_of
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request

COMPARED_BODY = 16 * 1024 * 1024
"""Bytes of a body that are compared, as in the proxy."""
HELD_BYTES = 256 * 1024 * 1024
"""Bytes of bodies of requests without a counterpart that are held. Beyond it the bodies of the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of a capture, and its response."""

    id: str
    request: Request
    method: str
    url: str
    operation: Operation
    body: bytes | None
    """Of the request; None if the capture does not have it."""
    response: Answer
    started: float
    """Seconds since the epoch."""
    ended: float | None
    """When the response was complete."""
    redacted: frozenset[bytes]
    """Names, in lower case, of header fields of the response whose values are blanked in the capture."""
    redacted_request: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.body or b"") + len(self.response.body or b"")

    def without_bodies(self) -> Exchange:
        return replace(self, body=None, response=replace(self.response, body=None))


class Pair(NamedTuple):
    first: Exchange
    second: Exchange


class Pairing:
    """Pairs two captures. Iterate over it once; then the counters are complete."""

    def __init__(
        self,
        first: Path,
        second: Path,
        filters: list[When],
        *,
        any_origin: bool = False,
        held_bytes: int = HELD_BYTES,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`any_origin`: pair by path and query alone, whatever scheme, host and port."""
        self.paths = first, second
        self.pairs = 0
        self.entries = [0, 0]
        """Exchanges in each capture."""
        self.filtered = 0
        """Exchanges of both that a filter excludes."""
        self.left_out: Counter[str] = Counter()
        """Exchanges of both that are not HTTP requests with a response of their own, by reason."""
        self.emptied = 0
        """Requests whose bodies were dropped to bound the memory."""
        self._filters = filters
        self.any_origin = any_origin
        self._warn = warn
        self._waiting = _Waiting(), _Waiting()
        self._held_bytes = held_bytes

    @property
    def alone(self) -> tuple[int, int]:
        """How many requests of the first and the second capture have no counterpart."""
        return self._waiting[0].count, self._waiting[1].count

    def examples(self, side: int, limit: int) -> list[str]:
        """The first requests of one capture, 0 or 1, that have no counterpart, as `METHOD URL`."""
        return self._waiting[side].first(limit)

    def __iter__(self) -> Iterator[Pair]:
        """Raises CaptureError where a capture cannot be read (further); pairs that were found before come first."""
        readers = [by_start(self._exchanges(side)) for side in (0, 1)]
        over = [False, False]
        while not all(over):
            for side, reader in enumerate(readers):
                exchange = None if over[side] else next(reader, None)
                over[side] = exchange is None
                if exchange is not None and (pair := self._add(side, exchange)) is not None:
                    self.pairs += 1
                    yield pair

    def _add(self, side: int, exchange: Exchange) -> Pair | None:
        key = exchange.method, self._place(exchange.url), exchange.operation.name
        other = self._waiting[1 - side].take(key)
        if other is not None:
            return Pair(other, exchange) if side else Pair(exchange, other)
        self._waiting[side].put(key, exchange)
        if sum(each.size for each in self._waiting) > self._held_bytes:
            self.emptied += max(self._waiting, key=lambda each: each.size).shrink(self._held_bytes // 4)
        return None

    def _place(self, url: str) -> str:
        if not self.any_origin:
            return url
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        return f"{parts.path or '/'}?{parts.query}"

    def _exchanges(self, side: int) -> Generator[Exchange, None, None]:
        for entry in read_capture(self.paths[side], self._warn):
            self.entries[side] += 1
            found = self._exchange(entry)
            if isinstance(found, str):
                self.left_out[found] += 1
            elif found is None:
                self.filtered += 1
            else:
                yield found

    def _exchange(self, entry: Entry | Unreadable) -> Exchange | str | None:
        """The exchange, the reason why it is left out, or None where a filter excludes it."""
        if isinstance(entry, Unreadable):
            return entry.reason
        flow = entry.flow
        if not isinstance(flow, http.HTTPFlow):
            return None if self._filters else "not_http"
        if not all(each.at_end(flow) for each in self._filters):
            return None
        return exchange_of(entry, flow)


def exchange_of(entry: Entry, flow: http.HTTPFlow) -> Exchange | str:
    """The exchange of an entry with that flow, or the reason why it is left out, one word."""
    if entry.left_out in ("not_http", "websocket"):
        return entry.left_out
    if meta.is_shadow_flow(flow) or flow.marked == SHADOW_MARKER:
        return "shadow"
    if flow.websocket is not None:
        return "websocket"
    if flow.request.data.method in heads.UNROUTED_METHODS:
        return "connect"
    asked = asked_request(flow, b"")
    method, url, body = asked.method.decode("latin-1"), url_of(asked), flow.request.raw_content
    start = body[:MAX_REQUEST] if body is not None and method not in ("GET", "HEAD") else b""
    response = flow.response
    answer = entry.answer or primary_end(flow, None, COMPARED_BODY, exchange_times(flow, response)).answer
    return Exchange(
        flow.id,
        asked,
        method,
        url,
        operation_of(method, url, start, cut=len(body or b"") > len(start)),
        None if entry.left_out else body,
        answer,
        flow.request.timestamp_start,
        response.timestamp_end if response is not None else None,
        frozenset(name.lower().encode("latin-1", "replace") for name in entry.redacted_answer),
        entry.redacted,
    )


Key = tuple[str, str, str]
"""Method, URL, and operation of GraphQL."""


class _Waiting:
    """Exchanges of one capture that have no counterpart yet, the oldest first."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        """Bytes of their bodies."""
        self._by_key: OrderedDict[Key, deque[Exchange]] = OrderedDict()

    def put(self, key: Key, exchange: Exchange) -> None:
        self._by_key.setdefault(key, deque()).append(exchange)
        self.count += 1
        self.size += exchange.size

    def take(self, key: Key) -> Exchange | None:
        waiting = self._by_key.get(key)
        if not waiting:
            return None
        exchange = waiting.popleft()
        if not waiting:
            del self._by_key[key]
        self.count -= 1
        self.size -= exchange.size
        return exchange

    def first(self, limit: int) -> list[str]:
        return [f"{waiting[0].method} {waiting[0].url}" for waiting in list(self._by_key.values())[:limit]]

    def shrink(self, by: int) -> int:
        """Drop bodies, the oldest first, until there are so many bytes less. Return of how many exchanges."""
        target, emptied = self.size - by, 0
        for waiting in self._by_key.values():
            for index, exchange in enumerate(waiting):
                if self.size <= target:
                    return emptied
                if exchange.size:
                    self.size -= exchange.size
                    waiting[index] = exchange.without_bodies()
                    emptied += 1
        return emptied
