from __future__ import annotations

import asyncio

from mirror_addon.processor import load
from mirror_addon.processor.load import LATE
from mirror_addon.processor.load import LOOKS
from mirror_addon.processor.load import Load


def test_it_has_caught_up_when_it_is_late_by_less_than_half() -> None:
    found = Load()
    states = []
    for late in (0.0, LATE * 1.1, 0.0, *[LATE * 1.1] * LOOKS, LATE * 0.9, LATE * 0.4, *[LATE * 0.9] * LOOKS):
        found.look(late)
        states.append(found.overloaded)
    assert states == [False] * (LOOKS + 2) + [True, True] + [False] * (LOOKS + 1)
    assert found.latest == LATE * 1.1


async def test_it_looks_until_it_is_stopped() -> None:
    found = Load()
    looks = []
    found.look = lambda late: looks.append(late)  # type: ignore[method-assign]
    found.start()
    while len(looks) < 2:
        await asyncio.sleep(load.EVERY)
    found.stop()
    Load().stop()
