"""The shadow engine without a proxy: `python -m bench.driver PORT WORKERS SECONDS` has it send as fast as it can.

Keeps a fixed number of shadows under way to 127.0.0.1:PORT, a new one for each that ends, and prints one JSON object:
shadows delivered a second, CPU milliseconds a shadow of this process and of the workers, and the workers' peak MiB.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from bench.contenders import ROOT
from bench.processes import children
from bench.processes import cpu
from bench.processes import peak

sys.path.insert(0, str(ROOT / "src"))

from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.result import ShadowResult

UNDER_WAY = 512
"""Shadows a worker, two for each of its lanes: it always has one to send, also while others wait to be handed over."""
WARM_UP = 0.5
HEADERS = (
    (b"User-Agent", b"bench"),
    (b"Accept", b"application/json"),
    (b"Cookie", b"session=0123456789abcdef"),
    (b"x-forwarded-for", b"192.0.2.1,192.0.2.2"),
)


class Driver:
    """Offers one shadow whenever one ends."""

    def __init__(self, port: int, workers: int) -> None:
        target = Target("serviceB/v2", "127.0.0.1", port, False, "serviceB", None)
        self.shadow = ShadowRequest(target, b"GET", b"serviceB-shadow", b"/orders/17?expand=items", HEADERS, 30.0)
        self.book = InFlight()
        self.book.observers.append(self)
        self.dispatcher = Dispatcher(ShadowSettings(workers=workers), self.book)
        self.workers = workers
        self.sent = 0
        self.going = True
        self.lost: ShadowResult | None = None

    def outcome(self, shadow: Shadow) -> None:
        result = shadow.result
        assert result is not None
        if result.outcome != "sent":
            self.lost = result
            return
        self.sent += 1
        if self.going:
            self.offer()

    def offer(self) -> None:
        primary = Primary(str(self.book.number))
        primary.answered = True
        self.dispatcher.offer(self.book.admit(primary, self.shadow.target.label), self.shadow, b"")

    async def run(self, seconds: float) -> dict[str, float]:
        """What was measured. Raises RuntimeError if a shadow did not reach the stub."""
        self.dispatcher.start()
        for _ in range(UNDER_WAY * self.workers):
            self.offer()
        while self.sent < UNDER_WAY * self.workers and self.lost is None:
            await asyncio.sleep(0.05)  # until all workers have started
        await asyncio.sleep(WARM_UP)
        started, sent, own, below = time.perf_counter(), self.sent, cpu(os.getpid()), self.worker_cpu()
        await asyncio.sleep(seconds)
        sent, taken = self.sent - sent, time.perf_counter() - started
        own, below = cpu(os.getpid()) - own, self.worker_cpu() - below
        peaks = sum(map(peak, children(os.getpid())))
        self.going = False
        await self.dispatcher.close(5.0)
        if self.lost is not None or not sent:
            raise RuntimeError(f"not all shadows were sent: {self.lost}")
        return {
            "rate": sent / taken,
            "driver_cpu": own * 1000 / sent,
            "worker_cpu": below * 1000 / sent,
            "peak": peaks,
        }

    def worker_cpu(self) -> float:
        return sum(map(cpu, children(os.getpid())))


async def main(port: int, workers: int, seconds: float) -> None:
    print(json.dumps(await Driver(port, workers).run(seconds)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
