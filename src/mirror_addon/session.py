"""The parts of one run that the user interfaces share: commands, live page and Mirror Diff."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from mirror_addon.flows.exchange import Exchanges
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.rules.live import LiveRules
from mirror_addon.rules.live_comparison import LiveComparison
from mirror_addon.statistics.pair_statistics import PairStatistics


@dataclass(slots=True)
class Session:
    """One run of the addon, from one load of the script to the next."""

    local_address: bytes
    """This machine's address, as it appears in X-Forwarded-For."""
    rules: LiveRules
    comparison: LiveComparison = field(default_factory=LiveComparison)
    statistics: PairStatistics = field(default_factory=PairStatistics)
    exchanges: Exchanges = field(default_factory=Exchanges)
    writer: ShadowWriter | None = None
    """None until the addon has started. Until then requests pass through unchanged."""
