from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.cli.replay import replay
from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.arguments import parse_faults
from mirror_addon.replay.arguments import parse_header
from mirror_addon.replay.arguments import parse_loop
from mirror_addon.replay.arguments import parse_rate
from mirror_addon.replay.arguments import parse_speed
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import by_start
from mirror_addon.replay.order import turns
from mirror_addon.replay.player import MAX_WAITING
from mirror_addon.replay.player import Pace
from mirror_addon.replay.player import Player
from mirror_addon.replay.player import Room

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = st.decimals(min_value="0.001", max_value="99999", places=3)


# what stands after options


@given(NUMBERS, st.sampled_from(["", "x"]))
def test_speeds(number: object, unit: str) -> None:
    assert parse_speed(f" {number}{unit}") == float(str(number))


def test_as_fast_as_can_be() -> None:
    assert math.isinf(parse_speed("max"))


@given(NUMBERS, st.sampled_from([("", 1), ("/s", 1), (" / s", 1), ("/min", 60), ("/m", 60), ("/h", 3600)]))
def test_rates(number: object, unit: tuple[str, int]) -> None:
    assert parse_rate(f"{number}{unit[0]}") == float(str(number)) / unit[1]


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "1/2", "2xx", "1e3", "nan", "inf", "٣", "1.", "max2"])
def test_no_speed(text: str) -> None:
    with pytest.raises(ValueError, match="as in 2 or"):
        parse_speed(text)


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "200/d", "/s", "200 per s", "max", "٣/s"])
def test_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="200/s"):
        parse_rate(text)


@given(
    st.lists(st.tuples(st.integers(1, 999), st.none() | st.integers(0, 100)), max_size=3),
    st.none() | st.integers(0, 100),
)
def test_faults(delays: list[tuple[int, int | None]], abort: int | None) -> None:
    parts = [f"delay={time}ms" + ("" if share is None else f":{share}%") for time, share in delays]
    parts += [] if abort is None else [f"abort={abort}%"]
    assert parse_faults(" , ".join(parts)) == Faults(
        tuple((pytest.approx(time / 1000), 1.0 if share is None else share / 100) for time, share in delays),
        (abort or 0) / 100,
    )


@pytest.mark.parametrize(
    "text",
    [
        "delay",
        "delay=",
        "delay=2s:",
        "delay=2s:101%",
        "delay=-1s",
        "abort",
        "abort=x",
        "abort=1%,abort=2%",
        "x=1%",
        ",",
    ],
)
def test_no_faults(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_faults(text)


@given(st.text(max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for parse in (parse_speed, parse_rate, parse_faults, parse_header, parse_loop):
        try:
            parse(text)
        except ValueError:
            continue


def test_headers() -> None:
    assert parse_header("Authorization:  Bearer a:b ") == (b"Authorization", b"Bearer a:b")
    assert parse_header("X-Empty:") == (b"X-Empty", b"")


@pytest.mark.parametrize("text", ["", "Authorization", "a b: c", ": x", "A: b\r\nc: d", "Content-Length: 3"])
def test_no_header(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 'Name: value'|cannot be replaced"):
        parse_header(text)


# order


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


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 50))
@settings(deadline=None, max_examples=30)
def test_a_window_sorts_what_is_in_it(times: list[int], window: int) -> None:
    exchanges = [one(str(number), at) for number, at in enumerate(times)]
    found = list(by_start(exchanges, window))
    assert sorted(names(iter(found))) == sorted(names(iter(exchanges))), "nothing is lost"
    if window >= len(times):
        assert [(each.started, int(each.id)) for each in found] == sorted(
            (float(at), number) for number, at in enumerate(times)
        )


def test_the_window_holds_bytes_too() -> None:
    pulled = []

    def exchanges() -> Iterator[Recorded]:
        for number in range(10):
            pulled.append(number)
            yield one(str(number), -number, body=b"x" * 1000)

    first = next(by_start(exchanges(), window_bytes=3500))
    assert (first.id, len(pulled)) == ("3", 4)


def test_what_stands_before_an_error_comes_first() -> None:
    def exchanges() -> Iterator[Recorded]:
        yield from (one("b", 2.0), one("a", 1.0))
        raise CaptureError("broken here")

    found = by_start(exchanges())
    assert [next(found).id, next(found).id] == ["a", "b"]
    with pytest.raises(CaptureError, match="broken here"):
        next(found)


def test_turns_of_two_captures_follow_each_other() -> None:
    first = [one("b", 105.0, position=20), one("a", 100.0, 101.0, position=10)]
    second = [one("a", 7.0, position=5), one("c", 9.0, position=9)]
    found = list(turns([lambda: first, lambda: second], [20, 9]))
    assert [(turn.recorded.id, turn.at, turn.done) for turn in found] == [
        ("a", 0.0, 10),
        ("b", 5.0, 20),
        ("a", 5.0, 25),
        ("c", 7.0, 29),
    ]
    assert found[0].until == 1.0
    assert len({turn.id for turn in found}) == 4, "the same id in both is two requests"


def test_amplified_and_repeated() -> None:
    capture = [one("a", 0.0), one("b", 2.0)]
    found = list(turns([lambda: capture], [1], amplify=2, loops=2))
    assert [(turn.recorded.id, turn.at) for turn in found] == [
        ("a", 0), ("a", 0), ("b", 2), ("b", 2), ("a", 2), ("a", 2), ("b", 4), ("b", 4),
    ]  # fmt: skip
    assert [turn.connection for turn in found[:2]] == ["c#0", "c#1"], "each copy has a connection of its own"
    assert len({turn.id for turn in found}) == 8
    assert [turn.id for turn in found[:3:2]] == ["a", "b"]


def test_for_ever_ends_where_there_is_nothing() -> None:
    assert list(turns([list], [1], loops=math.inf)) == []


# play


class Mirror:
    """Answers turns after a time, and keeps what happened."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.events: list[tuple[str, str]] = []
        self.times: dict[str, float] = {}
        self.under_way = self.most = 0

    async def __call__(self, turn: Turn) -> None:
        name = turn.recorded.id
        self.times[name] = asyncio.get_running_loop().time()
        self.events.append(("begin", name))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        self.events.append(("end", name))


def played(*exchanges: Recorded) -> Iterator[Turn]:
    return turns([lambda: exchanges], [1])


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
        while mirror.under_way < 20:
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
        for turn in turns([lambda: [one("a", 0.0)]], [1], loops=math.inf):
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
    while not mirror.under_way:
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


# the command


def capture(path: Path) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for number, name in enumerate(("serviceB/a", "serviceB/b", "elsewhere")):
            flow = tflow.tflow(resp=True)
            flow.request.headers["host"] = "istio.gateway.xxxx.tech"
            flow.request.path = f"/{name}"
            flow.request.timestamp_start = 1000.0 + number
            flow.request.timestamp_end = 1000.1 + number
            flow.client_conn.timestamp_tls_setup = None
            writer.add(flow)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(replay, ["--rules", str(ROOT / "rules"), *map(str, arguments)])


def test_a_dry_run(tmp_path: Path) -> None:
    result = run(capture(tmp_path / "a.mitm"), "--dry-run", "--speed", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "+0.000s  GET http://istio.gateway.xxxx.tech/serviceB/a"
    assert lines[1].startswith("    -> serviceB/v2 at 127.0.0.1:9002  //a  Host: istio.gateway.xxxx.tech-shadow")
    assert lines[2].startswith("+0.500s")
    assert lines[4].startswith("+1.000s  GET http://istio.gateway.xxxx.tech/elsewhere  not mirrored: ")


def test_a_filter_stands_after_the_captures(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.mitm")
    result = run(path, "~u serviceB", "! ~u /a", "--dry-run")
    assert result.stdout.count("GET") == 1
    result = run(path, "--filter", "~u elsewhere", "--filter", "~m GET", "--dry-run", "--json")
    assert result.stdout.count("elsewhere") == 1
    assert '"shadows": []' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "CAPTURE"),
        (("gone.mitm",), "There is no file 'gone.mitm'"),
        (("~m GET",), "name a capture"),
        (("{}", "--filter", "~q ("), "is no mitmproxy filter"),
        (("{}", "--speed", "2", "--rate", "3/s"), "give one"),
        (("{}", "--speed", "slow"), "must be how many times"),
        (("{}", "--loop", "0"), "--loop alone is until Ctrl-C"),
        (("{}", "--fault", "explode"), "write delay=DURATION"),
        (("{}", "--set-header", "x"), "write 'Name: value'"),
        (("{}", "--endpoint", "x"), "mirror_endpoints"),
        (("{}", "--to", "nowhere"), "mirror_to"),
        (("{}", "--compare", "gone.yaml"), "gone.yaml"),
        (("{}", "--fail-on", "luck"), "is not a condition"),
        (("{}", "--rules", "gone"), "There is no file or folder 'gone'"),
        (("{}", "--set", "control=1%"), "mirror_control"),
        (("{}", "-o", "{}"), "is one of the captures"),
        (("{}", "-o", "no/such/a"), "does not exist"),
        ((__file__,), "neither mitmproxy's dump"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(capture(tmp_path / "a.mitm"))
    result = run(*(each.replace("{}", path) for each in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.output


HALF = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: half}
spec:
  hosts: [istio.gateway.xxxx.tech]
  http:
  - route: [{destination: {host: one.example}}]
    mirror: {host: two.example}
    mirrorPercentage: {value: 50}
"""


def test_the_draw_is_by_the_seed_unless_it_is_given(tmp_path: Path) -> None:
    path, rules = capture(tmp_path / "a.mitm"), tmp_path / "half.yaml"
    rules.write_text(HALF)
    where = "--endpoint", "one.example=127.0.0.1:1", "--endpoint", "two.example=127.0.0.1:2"

    def shadows(*arguments: str) -> list[bool]:
        asked = ["--rules", str(rules), *where, "--dry-run", "--json", "--loop", "40", *arguments, str(path)]
        result = CliRunner().invoke(replay, asked)
        assert result.exit_code == 0, result.output
        return [bool(json.loads(line)["shadows"]) for line in result.stdout.splitlines()]

    first = shadows("--seed", "1")
    assert 30 < sum(first) < 90
    assert first == shadows("--seed", "1")
    assert first != shadows("--seed", "2")
    assert all(shadows("--draw", "0"))
    assert not any(shadows("--draw", "999999"))
    assert all(shadows("--draw", "999999", "--all"))


def test_loop_alone_is_for_ever_wherever_it_stands(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.mitm")
    result = run("--loop", path, "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("GET") == 3, "a dry run shows one pass of it"
    assert run(path, "--dry-run", "--loop", "2").stdout.count("GET") == 6
