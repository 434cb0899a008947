"""What a decision costs: a Markdown table for the worked example and for tables of up to 10,000 rules.

    python bench/routing.py

Each figure is the best of several runs in one process; a request is the worst one for a scan, it meets the last rule.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

RULES = Path(__file__).parents[1] / "rules"
SIZES = (10, 100, 1_000, 10_000)
BATCH = 2_000
BATCHES = 15
DRAW = 0x9E3779B97F4A7C15
HEADERS = (
    (b"accept", b"text/html,application/xhtml+xml"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"accept-language", b"en"),
    (b"cookie", b"session=0123456789abcdef"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"x-forwarded-for", b"203.0.113.7"),
    (b"x-request-id", b"d3b07384-d113-4ec2-a7a9-0f0c3bd1a9c2"),
)
URIS: dict[str, Callable[[int], dict[str, str]]] = {
    "prefix": lambda number: {"prefix": f"/service{number}/"},
    "regex, each with a beginning of its own": lambda number: {"regex": f"/service{number}/.*x[0-9]+"},
    "regex, all with the same beginning": lambda number: {"regex": f"/[^/]+/service{number}/.*"},
    "half prefix, half regex": lambda number: (
        {"regex": f"/service{number}/.*x[0-9]+"} if number % 2 else {"prefix": f"/service{number}/"}
    ),
}


def ask(host: bytes, path: bytes) -> Request:
    return Request(b"GET", b"http", host, path, HEADERS, 80, b"10.10.2.151")


def examples() -> list[Source]:
    return [Source(path.name, path.read_bytes()) for path in sorted(RULES.glob("*.yaml"))]


def virtual_service(uri: Callable[[int], dict[str, str]], size: int) -> Source:
    http = [
        {
            "match": [{"uri": uri(number)}],
            "route": [{"destination": {"host": "serviceB", "subset": "v1"}}],
            "mirror": {"host": "serviceB", "subset": "v2"},
        }
        for number in range(size)
    ]
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "many"},
        "spec": {"hosts": ["many.example.com"], "http": http},
    }
    return Source("many.yaml", json.dumps(document).encode())


def build(resources: tuple[Resource[Any], ...]) -> tuple[RouteTable, float]:
    """The table and the seconds it took, with the collector held as a loader would hold it."""
    gc.disable()
    start = time.perf_counter()
    table = RouteTable.build(resources, Identity())
    seconds = time.perf_counter() - start
    gc.enable()
    return table, seconds


def microseconds(decide: Callable[[Request, int], Decision], request: Request) -> float:
    best = float("inf")
    for _ in range(BATCHES):
        start = time.perf_counter()
        for _ in range(BATCH):
            decide(request, DRAW)
        best = min(best, time.perf_counter() - start)
    return best / BATCH * 1e6


def main() -> None:
    print("| table | rules | build, ms | us a decision | decisions a second |")
    print("|---|---:|---:|---:|---:|")

    def line(name: str, rules: int, seconds: float, cost: float) -> None:
        print(f"| {name} | {rules:,} | {seconds * 1e3:.1f} | {cost:.1f} | {1e6 / cost:,.0f} |", flush=True)

    table, seconds = build(parse_sources(examples()).resources)
    request = ask(b"istio.gateway.xxxx.tech", b"/serviceB/request/info?id=1")
    line("worked example", 1, seconds, microseconds(table.route, request))
    line("worked example, host of no rule", 1, seconds, microseconds(table.route, ask(b"other.tech", b"/")))
    for name, uri in URIS.items():
        for size in SIZES:
            table, seconds = build(parse_sources([*examples(), virtual_service(uri, size)]).resources)
            last = f"service{size - 1}/items/x12"
            request = ask(b"many.example.com", f"/a/{last}".encode() if "same" in name else f"/{last}".encode())
            rule = table.route(request, DRAW).rule
            assert rule is not None
            assert rule.rule == f"http[{size - 1}]"
            line(name, size, seconds, microseconds(table.route, request))


if __name__ == "__main__":
    main()
