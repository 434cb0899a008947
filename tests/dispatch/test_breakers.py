from __future__ import annotations

from typing import Any

from mirror_addon.dispatch.breaker import FAILURES
from mirror_addon.dispatch.breaker import Breakers
from mirror_addon.shadow.request import Target


def test_each_target_has_its_own() -> None:
    breakers = Breakers()
    bad, good = (Target(f"b/{name}", "127.0.0.1", port, False, "b", None) for name, port in (("v2", 1), ("v3", 2)))
    breakers.succeeded(good)
    opened = [breakers.failed(bad, 1.0, probe=False) for _ in range(FAILURES)]
    assert opened == [*[False] * (FAILURES - 1), True]
    assert breakers.is_closed(good)
    assert not breakers.is_closed(bad)
    assert not breakers.allow(bad, 1.1)
    assert breakers.allow(bad, 2.0)
    breakers.given_up(bad, 2.0)
    assert breakers.allow(bad, 2.0)
    told: dict[str, dict[str, Any]] = {"b/v2": {"upstream_cx_active": {}}}
    breakers.status(told)
    assert told["b/v2"]["circuit_breakers"] == {"127.0.0.1:1": {"state": "half_open", "opened": 1}}
    breakers.succeeded(bad)
    assert breakers.is_closed(bad)
