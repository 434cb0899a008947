from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.shadow.batch import Batch

NEVER_SECONDS = 3600.0


async def until_empty(batch: Batch[int]) -> None:
    async with asyncio.timeout(10):
        while batch:
            await asyncio.sleep(0.001)


async def test_items_are_handed_over_together_in_their_order() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=0.005)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for item in (1, 2, 3):
        batch.add(item)
    assert len(batch) == 3
    assert handed == []
    await until_empty(batch)
    assert loop.time() - begin >= 0.004  # the loop's clock may be coarse
    assert handed == [[1, 2, 3]]


async def test_with_zero_seconds_a_batch_ends_with_the_turn_of_the_loop() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=0.0)
    batch.add(1)
    batch.add(2)
    assert handed == []
    await asyncio.sleep(0)
    assert handed == [[1, 2]]


async def test_many_items_are_handed_over_at_once() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=NEVER_SECONDS, most=3)
    for item in range(7):
        batch.add(item)
    assert handed == [[0, 1, 2], [3, 4, 5]]
    assert len(batch) == 1
    batch.flush()
    assert handed[2:] == [[6]]


async def test_sizes_may_be_other_than_the_number_of_items() -> None:
    handed: list[list[bytes]] = []
    batch = Batch(handed.append, seconds=NEVER_SECONDS, most=10)
    for part in (b"12345", b"6789", b"", b"0123456789", b"big" * 10):
        batch.add(part, len(part))
    assert handed == [[b"12345", b"6789", b"", b"0123456789"], [b"big" * 10]]


async def test_flush_hands_over_once() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=0.0)
    batch.flush()
    batch.add(1)
    batch.flush()
    batch.flush()
    await asyncio.sleep(0)
    assert handed == [[1]]


async def test_items_added_during_the_hand_over_begin_the_next_batch() -> None:
    handed: list[list[int]] = []

    def hand_over(items: list[int]) -> None:
        handed.append(items)
        if len(handed) == 1:
            batch.add(2)

    batch = Batch(hand_over, seconds=0.001)
    batch.add(1)
    batch.flush()
    assert handed == [[1]]
    assert len(batch) == 1
    await until_empty(batch)
    assert handed == [[1], [2]]


async def test_a_scheduled_batch_ends_even_if_it_is_empty() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=0.0)
    batch.schedule()
    batch.schedule()
    await asyncio.sleep(0)
    assert handed == [[]]
    batch.schedule()
    batch.add(1)
    batch.flush()
    await asyncio.sleep(0)
    assert handed == [[], [1]]


async def test_the_pause_may_change_between_batches() -> None:
    handed: list[list[int]] = []
    batch = Batch(handed.append, seconds=NEVER_SECONDS)
    batch.add(1)
    batch.flush()
    batch.seconds = 0.0
    batch.add(2)
    await asyncio.sleep(0)
    assert handed == [[1], [2]]


async def test_a_hand_over_that_raises_drops_its_items_and_no_others() -> None:
    handed: list[list[int]] = []

    def hand_over(items: list[int]) -> None:
        if 1 in items:
            raise ValueError("refused")
        handed.append(items)

    batch = Batch(hand_over, seconds=0.0, most=2)
    batch.add(0)
    with pytest.raises(ValueError, match="refused"):
        batch.add(1)
    assert len(batch) == 0
    batch.add(2)
    await asyncio.sleep(0)
    assert handed == [[2]]


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 8))
def test_nothing_is_lost_repeated_or_reordered(sizes: list[int], most: int) -> None:
    async def run() -> list[list[int]]:
        handed: list[list[int]] = []
        batch = Batch(handed.append, seconds=0.0, most=most)
        for number, size in enumerate(sizes):
            batch.add(number, size)
            assert sum(sizes[number + 1 - len(batch) : number + 1]) < most
            if size == 0:
                await asyncio.sleep(0)
        batch.flush()
        return handed

    handed = asyncio.run(run())
    assert [number for items in handed for number in items] == list(range(len(sizes)))
    assert all(handed)
