"""The benchmark's clients: `python -m bench.load PORT CLIENTS SECONDS COUNT [RATE]`, keep-alive, one request after the
other, or with RATE all together so many requests a second.

Ends after so many seconds or requests, whichever is first, and prints one JSON object: requests, errors, seconds, and
the latencies' p50 and p99 in milliseconds. Who has not been answered a second after the end is an error, and its
latency what it has waited: one stuck client must neither hold up the run nor look good.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

REQUEST = (
    b"GET /serviceB/orders/17?expand=items HTTP/1.1\r\nHost: istio.gateway.xxxx.tech\r\n"
    b"User-Agent: bench\r\nAccept: application/json\r\nCookie: session=0123456789abcdef\r\n\r\n"
)


GRACE = 1.0


class Load:
    """What all clients share."""

    def __init__(self, seconds: float, count: int, pause: float = 0.0) -> None:
        """`pause`: seconds between the starts of a client's requests."""
        self.ends = time.perf_counter() + seconds
        self.pause = pause
        self.left = count
        self.latencies: list[float] = []
        self.answered = 0
        self.errors = 0


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.due = time.perf_counter() + self.load.pause * random.random()
        self.next()

    def next(self) -> None:
        """Send the next request when it is due. One that is late counts from when it was due."""
        if not self.load.pause:
            self.send()
            return
        self.due += self.load.pause
        if (left := self.due - time.perf_counter()) > 0:
            asyncio.get_running_loop().call_later(left, self.send)
        else:
            self.send()

    def send(self) -> None:
        now = time.perf_counter()
        self.sent = min(now, self.due) if self.load.pause else now
        if now >= self.load.ends or self.load.left <= 0:
            self.finish()
            return
        self.load.left -= 1
        self.buffer = b""
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        length = int(head[head.index(b"\r\ncontent-length:") + 17 :].partition(b"\r\n")[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.load.latencies.append(time.perf_counter() - self.sent)
        self.load.answered += 1
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            self.load.errors += 1
        self.next()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self.transport.close()

    def give_up(self) -> None:
        if not self.done.done():
            self.load.latencies.append(time.perf_counter() - self.sent)
            self.load.errors += 1
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.load.errors += 1
            self.done.set_result(None)


async def run(port: int, clients: int, seconds: float, count: int, rate: float = 0.0) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    load = Load(seconds, count, clients / rate if rate else 0.0)
    started = time.perf_counter()
    connections = [await loop.create_connection(lambda: Client(load), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.wait([protocol.done for _, protocol in connections], timeout=seconds + GRACE)
    for _, protocol in connections:
        protocol.give_up()
    taken = time.perf_counter() - started
    ordered = sorted(load.latencies) or [0.0]
    return {
        "requests": load.answered,
        "errors": load.errors,
        "seconds": taken,
        "p50": ordered[len(ordered) // 2] * 1000,
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000,
    }


if __name__ == "__main__":
    port, clients, seconds, count, *rate = sys.argv[1:]
    print(json.dumps(asyncio.run(run(int(port), int(clients), float(seconds), int(count), *map(float, rate)))))
