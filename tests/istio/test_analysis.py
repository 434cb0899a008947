from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

Make = Callable[..., str]


def test_the_worked_example_is_complete() -> None:
    rules = Path(__file__).parents[2] / "rules"
    parsed = parse_sources([Source(file.name, file.read_bytes()) for file in sorted(rules.glob("*.yaml"))])
    assert analyze(parsed.resources) == []


def test_ten_thousand_routes(make: Make, entry: str, rule: str) -> None:
    routes = "\n".join(
        f"- match: [{{uri: {{prefix: /service-{number}/}}}}]\n  route: [{{destination: {{host: b, subset: v1}}}}]\n"
        f"  mirror: {{host: b, subset: v1}}"
        for number in range(10_000)
    )
    text = "---\n".join([make("VirtualService", f"hosts: [x.y]\ngateways: [gw/g]\nhttp:\n{routes}"), entry, rule])
    started = time.process_time()
    parsed = parse_sources([Source("f", text.encode())])
    assert analyze(parsed.resources) == []
    # 1.5 s on a quiet machine.
    assert time.process_time() - started < 6
    assert parsed.diagnostics == ()
