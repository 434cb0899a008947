"""What `/metrics` has of a processor beside the metrics that the live page has too."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from mirror_addon.processor.counts import StreamCounts
from mirror_addon.processor.exchange import End
from mirror_addon.processor.load import Load


class ProcessorCollector(Collector):
    """Collects the counters of streams."""

    def __init__(self, counts: StreamCounts, load: Load) -> None:
        self._counts = counts
        self._load = load

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield CounterMetricFamily("mirror_processor_streams", "Exchanges that Envoy told of", counts.begun)
        yield GaugeMetricFamily("mirror_processor_streams_open", "Exchanges under way", counts.open)
        ended = CounterMetricFamily("mirror_processor_streams_ended", "Exchanges by how they ended", labels=["how"])
        for end in End:
            ended.add_metric([end.value], counts.ended[end])
        yield ended
        yield CounterMetricFamily("mirror_processor_messages", "Messages of Envoy", counts.messages)
        yield CounterMetricFamily("mirror_processor_bytes", "Bytes of these messages", counts.bytes)
        yield CounterMetricFamily("mirror_processor_invalid", "Messages that cannot be read", counts.invalid)
        yield CounterMetricFamily("mirror_processor_faults", "Exchanges left by a fault of this program", counts.faults)
        strange = CounterMetricFamily(
            "mirror_processor_strange", "Requests with a route or cluster that the rules do not have", labels=["what"]
        )
        for what in ("route", "cluster"):
            strange.add_metric([what], counts.strange[what])
        yield strange
        yield CounterMetricFamily(
            "mirror_processor_late_draws", "Long requests drawn before their cluster was known", counts.late_draws
        )
        yield CounterMetricFamily(
            "mirror_processor_local_replies",
            "Mirrored requests that Envoy answered itself",
            counts.local_replies,
        )
        yield GaugeMetricFamily(
            "mirror_processor_overloaded", "1 while new exchanges are left", float(self._load.overloaded)
        )
        yield GaugeMetricFamily(
            "mirror_processor_late_seconds", "How late the event loop was at most", self._load.latest
        )
        yield HistogramMetricFamily(
            "mirror_processor_lag",
            "Milliseconds that responses came later than Envoy had them",
            buckets=counts.lag.cumulated(),
            sum_value=counts.lag.total,
        )
        share = _number(counts.share)
        if share is not None:
            yield GaugeMetricFamily("mirror_processor_share", "Percentage of exchanges that Envoy tells of", share)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
