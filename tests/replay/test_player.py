from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator

import pytest
from enginetools import until
from replaytools import names
from replaytools import one
from replaytools import played

from mirror_addon.replay.order import Repeats
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import turns
from mirror_addon.replay.player import MAX_WAITING
from mirror_addon.replay.player import Pace
from mirror_addon.replay.player import Player
from mirror_addon.replay.player import Room


class Mirror:
    """Answers turns after a time, and keeps what happened."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.events: list[tuple[str, str]] = []
        self.times: dict[str, float] = {}
        self.in_flight = self.most = 0

    async def __call__(self, turn: Turn) -> None:
        name = turn.recorded.id
        self.times[name] = asyncio.get_running_loop().time()
        self.events.append(("begin", name))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(self.seconds)
        self.in_flight -= 1
        self.events.append(("end", name))


@pytest.mark.parametrize("speed", [1.0, 4.0])
async def test_times_are_kept_and_divided_by_the_speed(speed: float) -> None:
    """At least once in a few attempts: a busy machine may wake anybody late, but not always by as much."""
    expected = [pytest.approx(0.2 / speed, abs=0.04), pytest.approx(0.6 / speed, abs=0.04)]
    for _ in range(10):
        mirror = Mirror()
        player = Player(Pace(speed), mirror)
        await player.play(played(one("a", 10.0, connection="1"), one("b", 10.2, connection="2"), one("c", 10.6)))
        found = [mirror.times[name] - mirror.times["a"] for name in ("b", "c")]
        if found == expected:
            return
    assert found == expected


async def test_what_a_client_waited_for_is_waited_for() -> None:
    mirror = Mirror(0.1)
    player = Player(Pace(1.0), mirror)
    await player.play(played(one("a", 0.0, 0.01), one("b", 0.02, 0.05), one("other", 0.03, connection="d")))
    assert mirror.events == [
        ("begin", "a"), ("begin", "other"), ("end", "a"), ("begin", "b"), ("end", "other"), ("end", "b"),
    ]  # fmt: skip
    assert 0.05 < player.latest < 1


async def test_what_overlapped_on_a_connection_may_overlap_again() -> None:
    mirror = Mirror(0.1)
    await Player(Pace(math.inf), mirror).play(played(one("a", 0.0, 5.0), one("b", 1.0, 2.0), one("c", 3.0, 4.0)))
    assert mirror.events[:4] == [("begin", "a"), ("begin", "b"), ("end", "a"), ("end", "b")]


async def test_what_began_at_the_same_moment_keeps_its_order_where_the_connection_is_not_known() -> None:
    """And overlaps what began at another one, as it did."""
    first = [one(f"a{number}", 1.0, 9.0) for number in range(5)]
    later = [one(f"b{number}", 2.0, 9.0) for number in range(5)]
    for each in (*first, *later):
        each.in_turn = True
    mirror = Mirror(0.01)
    await Player(Pace(math.inf), mirror).play(played(*first, *later))
    for group in (first, later):
        own = [event for event in mirror.events if event[1][0] == group[0].id[0]]
        assert own == [(what, each.id) for each in group for what in ("begin", "end")]
    assert mirror.most == 2


async def test_what_began_at_the_same_moment_on_a_known_connection_may_overlap() -> None:
    mirror = Mirror(0.01)
    await Player(Pace(math.inf), mirror).play(played(*(one(f"a{number}", 1.0, 9.0) for number in range(5))))
    assert mirror.most == 5


async def test_as_fast_as_can_be_keeps_the_order_of_each_connection() -> None:
    generator = random.Random(1)
    mirror = Mirror()

    async def answer(turn: Turn) -> None:
        mirror.seconds = generator.random() / 100
        await mirror(turn)

    exchanges = [one(f"{number % 5}.{number}", number, connection=str(number % 5)) for number in range(100)]
    await Player(Pace(math.inf), answer).play(played(*exchanges))
    for connection in range(5):
        ours = [event for event in mirror.events if event[1].startswith(f"{connection}.")]
        expected = [name for name in names(iter(exchanges)) if name.startswith(f"{connection}.")]
        assert ours == [(kind, name) for name in expected for kind in ("begin", "end")]
    assert mirror.most > 1


async def test_a_rate_waits_for_nothing() -> None:
    took = []
    while not took or took[-1] != pytest.approx(0.19, abs=0.06):
        assert len(took) < 10, took  # a busy machine may wake anybody late, but not always by as much
        mirror = Mirror(1000.0)
        player = Player(Pace(rate=100), mirror)
        task = asyncio.create_task(player.play(played(*(one(str(number), 0.0) for number in range(20)))))
        while mirror.in_flight < 20:
            await asyncio.sleep(0.01)
        times = sorted(mirror.times.values())
        took.append(times[-1] - times[0])
        player.cancel()
        await task


async def test_little_is_read_ahead_of_what_waits() -> None:
    mirror = Mirror(10.0)
    player = Player(Pace(math.inf), mirror)
    read = 0

    def endless() -> Iterator[Turn]:
        nonlocal read
        for turn in turns([lambda: [one("a", 0.0)]], [1], Repeats(loops=math.inf)):
            read += 1
            yield turn

    task = asyncio.create_task(player.play(endless()))
    while read <= MAX_WAITING:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert read == MAX_WAITING + 1
    player.stop()
    player.cancel()
    await task


async def test_stop_begins_nothing_more() -> None:
    mirror = Mirror(0.1)
    player = Player(Pace(1.0), mirror)
    task = asyncio.create_task(player.play(played(one("a", 0.0), one("b", 0.01), one("c", 100.0))))
    while not mirror.in_flight:
        await asyncio.sleep(0.001)
    player.stop()
    await task
    assert mirror.events == [("begin", "a"), ("end", "a")]


async def test_an_error_ends_it_and_comes_out() -> None:
    async def fails(turn: Turn) -> None:
        raise RuntimeError(turn.id)

    with pytest.raises(RuntimeError, match="a"):
        await Player(Pace(1.0), fails).play(played(one("a", 0.0), one("b", 50.0)))


async def test_room_is_given_in_turn() -> None:
    room, order = Room(2, 100), []

    async def use(name: str, count: int, size: int) -> None:
        await room.take(count, size)
        order.append(name)
        await asyncio.sleep(0.01)
        order.append(name.upper())
        room.give(count, size)

    sizes = {"a": (1, 10), "b": (1, 95), "c": (1, 10), "d": (5, 1), "e": (1, 1)}
    await asyncio.gather(*(use(name, *each) for name, each in sizes.items()))
    assert "".join(order) == "aAbBcCdDeE", "big ones wait, even for ever too big ones go alone, and nobody overtakes"


async def test_a_place_given_up_is_free() -> None:
    room = Room(1, 1)
    await room.take(1, 1)
    waiting = asyncio.create_task(room.take(1, 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    room.give(1, 1)
    await asyncio.wait_for(room.take(1, 1), 1)


def test_a_pace_is_a_speed_or_a_rate() -> None:
    (turn,) = played(one("a", 0.0))
    (_, later) = played(one("a", 0.0), one("b", 8.0))
    assert [Pace(speed).due(7, later) for speed in (None, 1.0, 4.0, math.inf)] == [8.0, 8.0, 2.0, 0.0]
    assert Pace(rate=2.0).due(7, turn) == 3.5
    assert [pace.timed for pace in (Pace(), Pace(2.0), Pace(rate=1.0), Pace(math.inf))] == [True, True, True, False]
    with pytest.raises(ValueError, match="give one of them"):
        Pace(1.0, 1.0)


async def test_a_place_given_up_after_it_was_granted_is_free() -> None:
    room = Room(1, 1)
    await room.take(1, 1)
    waiting = asyncio.create_task(room.take(1, 1))
    await asyncio.sleep(0)
    room.give(1, 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(room.take(1, 1), 1)


async def test_turns_that_wait_for_their_connection_are_not_sent_after_stop() -> None:
    mirror = Mirror(0.1)
    player = Player(Pace(math.inf), mirror)
    task = asyncio.create_task(player.play(played(one("a", 0.0), one("b", 1.0), one("c", 2.0))))
    await until(lambda: mirror.in_flight)
    player.stop()
    await task
    assert mirror.events == [("begin", "a"), ("end", "a")]


async def test_many_ends_of_one_connection_are_waited_for_together() -> None:
    mirror = Mirror(0.02)
    overlapping = [one(str(number), 0.0, 1.0) for number in range(5)]
    await Player(Pace(math.inf), mirror).play(played(*overlapping, one("x", 2.0, 3.0), one("y", 4.0)))
    kinds = [kind if name.isdigit() else name for kind, name in mirror.events]
    assert kinds == ["begin"] * 5 + ["end"] * 5 + ["x", "x", "y", "y"]
