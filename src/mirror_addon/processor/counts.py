"""What a processor counts of its streams, beside the counters of shadows."""

from __future__ import annotations

from collections import Counter

from mirror_addon.processor.exchange import End
from mirror_addon.statistics.histograms import EnvoyHistogram


class StreamCounts:
    """Counters of one run."""

    def __init__(self) -> None:
        self.begun = 0
        self.messages = 0
        self.bytes = 0
        """Of all messages."""
        self.ended: Counter[End] = Counter()
        self.invalid = 0
        """Messages that cannot be read; their streams are ended."""
        self.faults = 0
        """Streams that were ended because of a fault of this program, which the log names."""
        self.strange: Counter[str] = Counter()
        """Requests with a route or a cluster that the rules do not have: others are in force in Envoy."""
        self.late_draws = 0
        """Requests that were drawn before Envoy had told the cluster, because they were too long to be held."""
        self.local_replies = 0
        """Requests that were mirrored before Envoy answered them itself."""
        self.lag = EnvoyHistogram()
        """Milliseconds by which the head of a response came later than Envoy had it."""
        self.share = ""
        """What Envoy's newest stream said of the share that it samples: the metadata `x-mirror-share`."""

    @property
    def open(self) -> int:
        return self.begun - self.ended.total()
