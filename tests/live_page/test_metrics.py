"""`/metrics`, read back by Prometheus' own parsers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed

from mirror_addon.display.text import printable
from mirror_addon.live_page.metrics import exposed
from mirror_addon.live_page.state import State
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult

TARGET = 'b/v2"\n\\\udcff'
SHOWN = printable(TARGET)
COUNTERS = {"offered": 9, "sent": 4, "pending": 1, "failed": 3, "failed.connect": 1, "failed.timeout": 2, "dropped": 1}
COUNTERS |= {"dropped.queue_full": 1, "skipped": 2, "skipped.percent": 2, "adapted": 0}


@pytest.fixture
def busy(state: State, make_pair: Callable[..., Pair]) -> State:
    for status in (200, 204, 500):
        result = ShadowResult("f/0", TARGET, "sent", status=status, total_ms=30)
        state.statistics.pair(make_pair(TARGET, result=result))
    state.statistics.pair(make_pair(TARGET, result=ShadowResult("f/0", TARGET, "failed", "timeout"), comparison=None))
    engine = {
        "workers": [{}, {}],
        "waiting_bytes": {"value": 17},
        "targets": {TARGET: {"upstream_rq_active": {"value": 3}, "circuit_breakers": {}}},
    }
    return replace(
        state,
        requests=11,
        unmatched=4,
        totals=COUNTERS | {"skipped": 5, "skipped.percent": 2, "skipped.loop": 3},
        targets={TARGET: COUNTERS},
        engine=engine,
        expires=123.0,
    )


def values(state: State) -> dict[tuple[str, ...], float]:
    body, content_type = exposed(state, "")
    assert content_type.startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parsed(body.decode())
        for sample in family.samples
    }


def test_what_is_counted(busy: State) -> None:
    found = values(busy)
    assert found["envoy_http_downstream_rq_total", "mirror"] == 11
    assert found["mirror_unmatched_total",] == 4
    assert found["envoy_cluster_upstream_rq_total", SHOWN] == 6
    assert found["envoy_cluster_upstream_rq_completed", SHOWN] == 4
    assert found["envoy_cluster_upstream_cx_connect_fail", SHOWN] == 1
    assert found["envoy_cluster_upstream_rq_timeout", SHOWN] == 2
    assert found["envoy_cluster_upstream_rq_pending_overflow", SHOWN] == 1
    assert found["envoy_cluster_upstream_rq_active", SHOWN] == 3
    assert found["envoy_cluster_upstream_rq_xx", SHOWN, "2"] == 2
    assert found["envoy_cluster_upstream_rq", SHOWN, "500"] == 1
    assert found["envoy_cluster_upstream_rq_time_count", SHOWN] == 3
    assert found["envoy_cluster_upstream_rq_time_bucket", SHOWN, "25"] == 0
    assert found["envoy_cluster_upstream_rq_time_bucket", SHOWN, "50"] == 3
    assert found["mirror_primary_rq_time_sum", SHOWN] == 40
    assert found["mirror_failed_total", "timeout", SHOWN] == 2
    assert found["mirror_skipped_total", "percent", SHOWN] == 2
    assert found["mirror_skipped_total", "loop", ""] == 3
    assert found["mirror_state", "mirroring"] == 1
    assert found["mirror_state", "paused"] == 0
    assert found["mirror_waiting_bytes",] == 17
    assert found["mirror_workers",] == 2
    assert found["mirror_expires_timestamp_seconds",] == 123
    assert found["mirror_pairs_total", "false", SHOWN, SHOWN, "different"] == 3
    assert found["mirror_pairs_total", "false", SHOWN, SHOWN, "failed"] == 1


def test_openmetrics_for_who_asks_for_it(busy: State) -> None:
    body, content_type = exposed(busy, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = [family.name for family in openmetrics(body.decode())]
    assert "envoy_cluster_upstream_rq_total" in names
    assert len(names) == len(set(names))


def test_before_anything_happened(state: State) -> None:
    found = values(state)
    assert found["envoy_http_downstream_rq_total", "mirror"] == 0
    assert not any(name == "mirror_expires_timestamp_seconds" for name, *_ in found)


def test_calls_of_mirrors(busy: State) -> None:
    found = values(replace(busy, totals=busy.totals | {"sandbox.answered": 3, "sandbox.blocked": 1}))
    assert (found["mirror_sandbox_calls_total", "answered"], found["mirror_sandbox_calls_total", "blocked"]) == (3, 1)
