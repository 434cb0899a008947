"""What the same tables cost real Envoy: `python -m bench.routing_envoy`, beside `bench/routing.py`.

The rules answer directly, so that no upstream takes part. Envoy's figure is its CPU time a request less that with a
table of one route, this program's the cost of the whole decision in this process. Each request meets the last rule.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from bench.contenders import Ports
from bench.processes import Running
from bench.programs import ENVOY
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

SIZES = (1, 10, 100, 1_000, 10_000)
REQUESTS, CONNECTIONS = 12_000, 8
URIS: dict[str, Callable[[int], dict[str, str]]] = {
    "prefix": lambda number: {"prefix": f"/service{number}/"},
    "regex": lambda number: {"regex": f"/service{number}/.*x[0-9]+"},
}


def make_table(uri: Callable[[int], dict[str, str]], size: int) -> RouteTable:
    http = [{"match": [{"uri": uri(number)}], "directResponse": {"status": 200}} for number in range(size)]
    ready = [{"directResponse": {"status": 200}}]  # what `Running` asks until it is there
    documents = [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": host},
            "spec": {"hosts": [host], "http": rules},
        }
        for host, rules in (("many.test", http), ("istio.gateway.xxxx.tech", ready))
    ]
    sources = [Source(f"{number}.yaml", json.dumps(document).encode()) for number, document in enumerate(documents)]
    return RouteTable.build(parse_sources(sources).resources, Identity())


async def client(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
    writer.close()


async def load(port: int, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: many.test\r\n\r\n".encode()
    await asyncio.gather(*(client(port, request, REQUESTS // CONNECTIONS) for _ in range(CONNECTIONS)))


def envoy_cost(table: RouteTable, path: str) -> float:
    """Microseconds of Envoy's CPU a request."""

    def command(ports: Ports, folder: Path) -> list[str]:
        config = folder / "envoy.yaml"
        options = ExportOptions(Address("127.0.0.1", ports.listen))
        config.write_text(to_yaml(translate(table, options).bootstrap()))
        quiet = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
        return [str(ENVOY.path), "-c", str(config), *quiet]

    running = Running(command, 0, 0)
    try:
        asyncio.run(load(running.port, path))
        before = running.usage().proxy
        asyncio.run(load(running.port, path))
        return (running.usage().proxy - before) / REQUESTS * 1e6
    finally:
        running.stop()


def own_cost(table: RouteTable, path: str) -> float:
    request = Request(b"GET", b"http", b"many.test", path.encode(), ((b"accept", b"*/*"),), 80)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(2_000):
            table.route(request, 1)
        best = min(best, time.perf_counter() - start)
    return best / 2_000 * 1e6


def main() -> None:
    print("| routes | kind | here, us a decision | Envoy, us more than with one route |\n|---:|---|---:|---:|")
    for kind, uri in URIS.items():
        base = 0.0
        for size in SIZES:
            path = f"/service{size - 1}/items/x12"
            table = make_table(uri, size)
            cost = envoy_cost(table, path)
            base = base or cost
            print(f"| {size:,} | {kind} | {own_cost(table, path):.1f} | {cost - base:.0f} |", flush=True)


if __name__ == "__main__":
    main()
