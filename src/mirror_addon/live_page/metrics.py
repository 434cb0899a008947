"""`/metrics`: with Envoy's names, as in its /stats/prometheus, where Envoy has the metric; `mirror_*` otherwise.

prometheus_client requires names of counters to end in `_total`. Not all of Envoy's do, so they are exposed as untyped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.core import InfoMetricFamily
from prometheus_client.core import Metric
from prometheus_client.core import UnknownMetricFamily
from prometheus_client.registry import Collector

from mirror_addon._version import __version__
from mirror_addon.display.text import printable
from mirror_addon.statistics.reasons import parts

if TYPE_CHECKING:
    from mirror_addon.live_page.state import State

ENVOY_COUNTERS = {
    "envoy_cluster_upstream_rq_completed": ("sent", "Shadows with a complete response"),
    "envoy_cluster_upstream_cx_connect_fail": ("failed.connect", "Shadows that could not connect"),
    "envoy_cluster_upstream_rq_timeout": ("failed.timeout", "Shadows without a complete response in time"),
    "envoy_cluster_upstream_rq_rx_reset": ("failed.reset", "Shadows whose connection the mirror closed early"),
    "envoy_cluster_upstream_cx_protocol_error": ("failed.protocol", "Shadows whose response is not valid HTTP"),
    "envoy_cluster_upstream_rq_pending_overflow": ("dropped.queue_full", "Shadows dropped because the queue was full"),
}
ENVOY_GAUGES = {
    "upstream_cx_active": "Connections to the mirror (lanes)",
    "upstream_rq_active": "Shadows being sent",
    "upstream_rq_pending_active": "Shadows waiting for a lane",
}
KINDS = {
    "failed": "Shadows that were sent and got no complete response",
    "dropped": "Shadows that were not sent, or given up by the proxy",
    "skipped": "Requests that were not to be mirrored",
    "adapted": "Shadows that could not be sent exactly as the primary",
}
TARGET = "envoy_cluster_name"


class StateCollector(Collector):
    """Collects the metrics of one state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        for part in (self._run, self._envoy, self._times, self._shadows, self._verdicts):
            for metric in part():
                metric.samples = [each._replace(labels=_printable(each.labels)) for each in metric.samples]
                yield metric

    def _run(self) -> Iterator[Metric]:
        state = self._state
        yield InfoMetricFamily("mirror_build", "The addon", {"version": __version__})
        requests = UnknownMetricFamily(
            "envoy_http_downstream_rq_total", "Requests seen", labels=["envoy_http_conn_manager_prefix"]
        )
        requests.add_metric(["mirror"], state.requests)
        yield requests
        yield CounterMetricFamily("mirror_unmatched", "Requests whose host or path no rule names", state.unmatched)
        mode = GaugeMetricFamily("mirror_state", "1 for the present state", labels=["state"])
        for name in ("mirroring", "paused", "off", "expired", "not started"):
            mode.add_metric([name], float(name == state.mode))
        yield mode
        if state.expires is not None:
            yield GaugeMetricFamily("mirror_expires_timestamp_seconds", "When mirroring ends", state.expires)
        if waiting := state.engine.get("waiting_bytes"):
            yield GaugeMetricFamily("mirror_waiting_bytes", "Bytes of waiting shadows", waiting["value"])
        if pairs := state.engine.get("pairs"):
            yield GaugeMetricFamily(
                "mirror_comparisons_waiting", "Pairs that wait for their comparison", pairs["waiting"]["value"]
            )
            yield CounterMetricFamily(
                "mirror_comparisons_given_up", "Pairs that could not be compared in time or memory", pairs["given_up"]
            )
        yield GaugeMetricFamily("mirror_workers", "Worker processes", len(state.engine.get("workers", ())))

    def _envoy(self) -> Iterator[Metric]:
        targets = self._state.targets
        total = UnknownMetricFamily("envoy_cluster_upstream_rq_total", "Shadows whose sending began", labels=[TARGET])
        for label, counters in targets.items():
            begun = counters.get("sent", 0) + counters.get("failed", 0) - counters.get("failed.connect", 0)
            total.add_metric([label], begun)
        yield total
        for name, (counter, help) in ENVOY_COUNTERS.items():
            family = UnknownMetricFamily(name, help, labels=[TARGET])
            for label, counters in targets.items():
                family.add_metric([label], counters.get(counter, 0))
            yield family
        for name, help in ENVOY_GAUGES.items():
            gauge = GaugeMetricFamily(f"envoy_cluster_{name}", help, labels=[TARGET])
            for label, gauges in self._state.engine.get("targets", {}).items():
                if name in gauges:
                    gauge.add_metric([label], gauges[name]["value"])
            yield gauge

    def _times(self) -> Iterator[Metric]:
        targets = self._state.statistics.targets
        classes = UnknownMetricFamily(
            "envoy_cluster_upstream_rq_xx", "Responses of the mirror", labels=["envoy_response_code_class", TARGET]
        )
        codes = UnknownMetricFamily(
            "envoy_cluster_upstream_rq", "Responses of the mirror", labels=["envoy_response_code", TARGET]
        )
        shadow = HistogramMetricFamily("envoy_cluster_upstream_rq_time", "Milliseconds of shadows", labels=[TARGET])
        primary = HistogramMetricFamily("mirror_primary_rq_time", "Milliseconds of their primaries", labels=[TARGET])
        for label, target in targets.items():
            by_class: Counter[int] = Counter()
            for status, number in sorted(target.statuses.items()):
                by_class[status // 100] += number
                codes.add_metric([str(status), label], number)
            for first_digit, number in sorted(by_class.items()):
                classes.add_metric([str(first_digit), label], number)
            shadow.add_metric([label], target.time.cumulated(), target.time.total)
            primary.add_metric([label], target.primary_time.cumulated(), target.primary_time.total)
        yield from (classes, codes, shadow, primary)

    def _shadows(self) -> Iterator[Metric]:
        state = self._state
        for name, help in (("offered", "Shadows that should be sent"), ("sent", "Shadows with a complete response")):
            family = CounterMetricFamily(f"mirror_{name}", help, labels=["target"])
            for label, counters in state.targets.items():
                family.add_metric([label], counters.get(name, 0))
            yield family
        pending = GaugeMetricFamily("mirror_pending", "Shadows without an outcome yet", labels=["target"])
        for label, counters in state.targets.items():
            pending.add_metric([label], counters.get("pending", 0))
        yield pending
        if calls := parts(state.totals, "sandbox"):
            family = CounterMetricFamily("mirror_sandbox_calls", "Calls of mirrors to other services", labels=["state"])
            for name, number in calls:
                family.add_metric([name], number)
            yield family
        for kind, help in KINDS.items():
            family = CounterMetricFamily(f"mirror_{kind}", help, labels=["target", "reason"])
            known: Counter[str] = Counter()
            for label, counters in state.targets.items():
                for reason, number in parts(counters, kind):
                    known[reason] += number
                    family.add_metric([label, reason], number)
            for reason, number in parts(state.totals, kind):
                if number > known[reason]:  # requests that matched no rule have no target
                    family.add_metric(["", reason], number - known[reason])
            yield family

    def _verdicts(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "mirror_pairs", "Pairs of responses by verdict", labels=["rule", "target", "control", "verdict"]
        )
        for row in self._state.statistics.routes.values():
            labels = [row.rule, row.target, str(row.control).lower()]
            for verdict in ("same", "noise", "different"):
                family.add_metric([*labels, verdict], getattr(row, verdict))
            family.add_metric([*labels, "failed"], row.failed.total() + row.dropped.total())
        yield family


def _printable(labels: dict[str, str]) -> dict[str, str]:
    """Names of rules and mirrors come from files: a lone surrogate in one could not be encoded."""
    return {name: printable(value) for name, value in labels.items()}


def exposed(state: State, accept: str, *more: Collector) -> tuple[bytes, str]:
    """Return the body and its content type: Prometheus text, or OpenMetrics where the Accept field asks for it.

    `more` have metrics beside those of the state.
    """
    registry = CollectorRegistry()
    for collector in (StateCollector(state), *more):
        registry.register(collector)
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(registry), content_type
