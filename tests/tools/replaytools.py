"""Recorded requests, turns and setups for the tests of the replay."""

from __future__ import annotations

from collections.abc import Iterator

from mitmproxy.test import tflow

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import recorded
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import turns


def one(
    name: str, at: float, until: float | None = None, connection: str = "c", body: bytes = b"", position: int = 0
) -> Recorded:
    flow = tflow.tflow(resp=True)
    flow.id = name
    flow.request.content = body
    flow.response = None
    flow.request.timestamp_start = flow.request.timestamp_end = at
    found = recorded(Entry(flow, position), b"10.0.0.1")
    assert isinstance(found, Recorded)
    found.started, found.ended, found.connection = at, at if until is None else until, connection
    return found


def names(found: Iterator[Recorded]) -> list[str]:
    return [each.id for each in found]


def played(*exchanges: Recorded) -> Iterator[Turn]:
    """Their turns, as those of one capture."""
    return turns([lambda: exchanges], [1])
