from __future__ import annotations

import asyncio

from mitmproxy.test import tflow

from mirror_addon.mirroring.batch import MOST
from mirror_addon.mirroring.batch import SECONDS
from mirror_addon.mirroring.batch import Answered
from mirror_addon.mirroring.batch import Batch
from mirror_addon.mirroring.batch import Offer


def ends(number: int) -> list[Offer | Answered]:
    return [Answered(tflow.tflow(), (200 + index, 1.0)) for index in range(number)]


async def test_what_comes_is_handed_over_together_in_its_order() -> None:
    handed: list[list[Offer | Answered]] = []
    gathering = Batch(handed.append)
    items = ends(3)
    for item in items:
        gathering.add(item)
    assert len(gathering) == 3 and not handed
    async with asyncio.timeout(10):
        while not handed:
            await asyncio.sleep(SECONDS / 2)
    assert handed == [items] and not gathering
    gathering.add(items[0])
    gathering.flush()
    gathering.flush()
    assert handed == [items, items[:1]]


async def test_many_do_not_wait() -> None:
    handed: list[list[Offer | Answered]] = []
    gathering = Batch(handed.append)
    items = ends(MOST + 1)
    for item in items:
        gathering.add(item)
    assert handed == [items[:MOST]]
    gathering.flush()
    assert handed == [items[:MOST], items[MOST:]]


async def test_what_comes_while_it_hands_over_is_not_lost() -> None:
    handed: list[list[Offer | Answered]] = []

    def hand_over(items: list[Offer | Answered]) -> None:
        handed.append(items)
        if len(handed) == 1:
            gathering.add(more)

    gathering = Batch(hand_over)
    first, more = ends(2)
    gathering.add(first)
    gathering.flush()
    assert handed == [[first]] and len(gathering) == 1
    async with asyncio.timeout(10):
        while gathering:
            await asyncio.sleep(SECONDS / 2)
    assert handed == [[first], [more]]
