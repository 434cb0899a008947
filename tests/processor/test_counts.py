from __future__ import annotations

from mirror_addon.processor.counts import StreamCounts
from mirror_addon.processor.exchange import End


def test_open_streams() -> None:
    counts = StreamCounts()
    counts.begun = 5
    counts.ended.update({End.COMPLETE: 2, End.LOST: 1})
    assert counts.open == 2
