"""The benchmark's clients: `python -m bench.load PORT CLIENTS SECONDS COUNT`, keep-alive, one request after the other.

Ends after so many seconds or requests, whichever is first, and prints one JSON object: requests, errors, seconds, and
the latencies' p50 and p99 in milliseconds. Who has not been answered a second after the end is an error, and its
latency what it has waited: one stuck client must neither hold up the run nor look good.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

REQUEST = (
    b"GET /serviceB/orders/17?expand=items HTTP/1.1\r\nHost: istio.gateway.xxxx.tech\r\n"
    b"User-Agent: bench\r\nAccept: application/json\r\nCookie: session=0123456789abcdef\r\n\r\n"
)


GRACE = 1.0


class Load:
    """What all clients share."""

    def __init__(self, seconds: float, count: int) -> None:
        self.ends = time.perf_counter() + seconds
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
        self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        if self.sent >= self.load.ends or self.load.left <= 0:
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
        self.send()

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


async def run(port: int, clients: int, seconds: float, count: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    load = Load(seconds, count)
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
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))))
