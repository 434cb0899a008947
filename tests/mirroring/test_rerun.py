"""What is sent again to a mirror that is back, with the real engine and mirrors on real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from enginetools import read_request
from enginetools import until
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.dispatch import presence
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring import kept_pairs
from mirror_addon.mirroring import rerun as module
from mirror_addon.mirroring.engine_settings import check_files
from mirror_addon.mirroring.rerun import Rerun
from mirror_addon.mirroring.rerun import RerunResult
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.request import Target


def settings(**options: Any) -> Settings:
    values = {each.name: each.default for each in OPTIONS} | {"mirror_rerun": True}
    return parse_settings(values | {f"mirror_{name}": value for name, value in options.items()})


class Loop:
    """A writer whose primary answers `{}` to everything, and its mirror, which answers as `answers` has it."""

    def __init__(self, port: int, **options: Any) -> None:
        self.port = port
        self.answers: dict[str, Any] = {}
        self.pairs: list[Pair] = []
        self.received: list[str] = []
        self.table = RouteTable.build((), Identity(), mirror_to=[MirrorTo("http", "127.0.0.1", port)])
        self.options = options
        self.writer = ShadowWriter(settings(**options), b"10.0.0.1")
        self.writer.observers.append(self)
        self.writer.rules_changed(self.table)

    def pair(self, pair: Pair) -> None:
        self.pairs.append(pair)

    @property
    def rerun(self) -> Rerun:
        return self.writer.rerun

    @property
    def target(self) -> Target:
        (target,) = self.rerun.kept.targets
        return target

    @property
    def counters(self) -> dict[str, int]:
        self.writer.book.check()
        return dict(self.writer.counters.items())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            method, path = request.head.decode().split(" ")[:2]
            self.received.append(f"{method} {path}")
            answer = self.answers.get(path, {})
            if answer is None:
                return
            body = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)

    async def get(self, *paths: str, method: str = "GET", body: bytes = b"", answer: bytes = b"{}") -> None:
        """Send requests through, and wait for their pairs."""
        wanted = len(self.pairs) + len(paths)
        for path in paths:
            flow = tflow.tflow()
            flow.live = True
            flow.request.method, flow.request.content = method, body
            asked = Request(method.encode(), b"http", b"shop.test", path.encode(), (), 80)
            exchange = Exchange(self.table, asked, 7, self.table.route(asked, 7))
            self.writer.offer(flow, exchange, body)
            flow.response = http.Response.make(200, answer, {"Content-Type": "application/json"})
            self.writer.answered(flow)
        await until(lambda: len(self.pairs) == wanted)

    async def again(self) -> RerunResult:
        """The mirror is back."""
        before = self.rerun.results.get(self.target)
        self.rerun._returned(self.target)
        await until(lambda: self.rerun.results.get(self.target) is not before)
        return self.rerun.results[self.target]


Make = Callable[..., Any]


@pytest.fixture
async def make(mirrors: Any) -> AsyncIterator[Make]:
    made: list[Loop] = []
    with taddons.context():

        async def start(**options: Any) -> Loop:
            loops: list[Loop] = []
            port = await mirrors.start(lambda reader, writer: loops[0].serve(reader, writer))
            loops.append(Loop(port, **options))
            made.extend(loops)
            return loops[0]

        yield start
        for each in made:
            await each.writer.close()
            assert each.counters["pending"] == 0
            assert not each.rerun.kept


def different(*paths: str) -> dict[str, Any]:
    return {path: {f"of {path}": 1} for path in paths}


async def test_fixed_left_and_new(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loop = await make()
    loop.answers = different("/a", "/b", "/c", "/d")
    await loop.get("/a", "/b", "/c", "/d", "/same")
    assert sorted(pair.url for pair in loop.rerun.kept) == [f"http://shop.test/{each}" for each in "abcd"]
    before = {name: number for name, number in loop.counters.items() if not name.startswith("rerun")}
    loop.answers = different("/c") | {"/d": {"later": [1]}}
    loop.received.clear()
    result = await loop.again()
    assert result.words == "2 of 4 fixed, 2 left, 1 new"
    assert [(each.method, each.url, each.why) for each in result.shown] == [
        ("GET", "http://shop.test/d", "$.later"),
        ("GET", "http://shop.test/c", "$['of /c']"),
    ]
    assert (
        f"mirror: sent again to 127.0.0.1:{loop.port}: 2 of 4 fixed, 2 left, 1 new; new: $.later extra" in caplog.text
    )
    assert sorted(loop.received) == ["GET /a", "GET /b", "GET /c", "GET /d"]
    # Counted apart, and told to no observer.
    assert {name: number for name, number in loop.counters.items() if not name.startswith("rerun")} == before
    assert (loop.counters["rerun"], loop.counters["rerun.sent"], len(loop.pairs)) == (4, 4, 5)
    # Over the same pairs each time, and what was fixed may differ again.
    loop.answers = different("/a")
    assert (await loop.again()).words == "3 of 4 fixed, 1 left, 0 new"


async def test_what_was_noise_in_the_first_comparison_stays_noise(make: Make) -> None:
    """A control or an id may have explained it, of which a run knows nothing."""
    loop = await make(control="100%")
    loop.answers = {"/a": {"x": 1, "y": 2}}
    await loop.get("/a")
    (kept,) = loop.rerun.kept
    kept.noise = frozenset({"$.y"})
    loop.answers = {"/a": {"y": 3}}
    assert (await loop.again()).words == "1 of 1 fixed, 0 left, 0 new"


async def test_a_mirror_that_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOUBT_SECONDS", 0.01)
    loop = await make()
    loop.answers = different("/a", "/b")
    await loop.get("/a", "/b")
    loop.answers = {"/a": None}
    result = await loop.again()
    assert result.words == "1 of 2 fixed, 1 left, 0 new" and result.shown[0].why == "failed: reset"
    assert loop.counters["rerun.failed.reset"] == 1


async def test_nothing_is_said_of_a_mirror_that_went_away_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOUBT_SECONDS", 0.01)
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a")
    target = loop.target
    loop.answers = {"/a": None}
    loop.rerun._presence._watched[target].lose()
    loop.rerun._presence._watched[target].steady = -1_000_000
    loop.rerun._returned(target)
    await until(lambda: loop.counters.get("rerun.failed") == 1 and not loop.rerun._runs)
    assert loop.rerun.results == {}
    assert loop.rerun.start() == f"127.0.0.1:{loop.port} is gone; its pairs are sent again when it is back"


async def test_a_mirror_that_bounces_begins_anew(make: Make) -> None:
    loop = await make()
    loop.answers = different("/a", "/b")
    await loop.get("/a", "/b")
    loop.answers = {}
    loop.rerun._returned(loop.target)
    loop.rerun._returned(loop.target)
    result = await loop.again()
    assert result.words == "2 of 2 fixed, 0 left, 0 new"
    await until(lambda: loop.counters["rerun"] == 6 and not loop.rerun._runs)
    assert loop.rerun.results == {loop.target: result}


async def test_the_circuit_breaker_is_closed(make: Make) -> None:
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a")
    loop.answers = {f"/{number}": None for number in range(9)}
    await loop.get(*loop.answers)
    breaker = loop.writer.dispatcher.breakers[loop.target]
    assert breaker.state == "open"
    assert (await loop.again()).words == "1 of 1 fixed, 0 left, 0 new"
    assert breaker.state == "closed"


@pytest.mark.parametrize("how", ["paused", "off", "expired", "rule"])
async def test_nothing_is_sent_during_a_pause(make: Make, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a")
    gate, on = loop.writer.gate, settings()
    if how == "paused":
        gate.paused = True
    elif how == "off":
        gate.apply(settings(enabled=False))
    elif how == "expired":
        gate.expires = 1.0
    else:
        gate.overrides.pause(loop.table.mirroring)
        assert (await loop.again()).words == "0 of 1 fixed, 0 left, 0 new, 1 unknown (paused)"
        gate.overrides.resume(loop.table.mirroring)
        assert loop.rerun.start() == f"1 pair is sent again to 127.0.0.1:{loop.port}; the event log has the result"
    if how != "rule":
        loop.rerun._returned(loop.target)
        with pytest.raises(ValueError, match="nothing is sent again"):
            loop.rerun.start()
        assert "rerun" not in loop.counters
        gate.paused = False
        gate.apply(on)
    await until(lambda: loop.counters.get("rerun.sent") == 1)


async def test_a_pause_in_the_middle_of_a_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    loop = await make()
    loop.answers = different("/a", "/b", "/c")
    await loop.get("/a", "/b", "/c")
    loop.rerun._returned(loop.target)
    loop.writer.gate.paused = True
    await until(lambda: loop.counters["rerun.sent"] == 2)
    assert loop.counters["rerun"] == 2
    loop.writer.gate.paused = False
    await until(lambda: loop.target in loop.rerun.results)
    assert loop.rerun.results[loop.target].words == "0 of 3 fixed, 3 left, 0 new"


async def test_safe_methods_only(make: Make) -> None:
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a", method="POST", body=b"{}")
    assert not loop.rerun.kept and loop.counters["rerun.skipped.method"] == 1
    assert loop.rerun.start().startswith("nothing to send again")
    with pytest.raises(
        ValueError, match="POST: the mirror would do it twice; possible with mirror_twin=true and mirror_sandbox"
    ):
        loop.rerun.also(["post"])
    assert loop.rerun.also(["get"]) == "GET, HEAD, OPTIONS are sent again from now on"
    await loop.get("/a", method="HEAD")


async def test_other_methods_where_twin_and_sandbox_make_them_safe_and_the_user_says_so(make: Make) -> None:
    loop = await make()
    loop.answers = different("/a")
    both = replace(loop.writer.settings, twin=True, sandbox=(8089,))
    loop.writer.apply(both, frozenset({"mirror_sandbox"}))
    await loop.get("/a", method="POST", body=b"{}")
    assert not loop.rerun.kept  # nobody said so yet
    assert loop.rerun.also(["post"]) == "GET, HEAD, OPTIONS, POST are sent again from now on"
    await loop.get("/a", method="POST", body=b'{"order": 1}')
    loop.answers = {}
    assert (await loop.again()).words == "1 of 1 fixed, 0 left, 0 new"
    loop.writer.apply(settings(), frozenset({"mirror_sandbox"}))
    assert (await loop.again()).words == "0 of 1 fixed, 0 left, 0 new, 1 unknown (method)"


async def test_bodies_are_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RESPONSE_BODY", 100)
    monkeypatch.setattr(module, "MOST_REQUEST_BODY", 10)
    loop = await make()
    loop.answers = different("/a", "/b")
    await loop.get("/a", answer=json.dumps({"long": "x" * 100}).encode())
    await loop.get("/b", body=b"x" * 11)
    assert not loop.rerun.kept and loop.counters["rerun.skipped.body_too_large"] == 2


async def test_the_number_of_pairs_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_pairs, "MOST", 2)
    loop = await make()
    loop.answers = different("/a", "/b", "/c")
    for path in loop.answers:
        await loop.get(path)
    assert len(loop.rerun.kept) == 2 and loop.counters["rerun.skipped.replaced"] == 1


async def test_rules_of_now_decide(make: Make) -> None:
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a")
    elsewhere = [MirrorTo("http", "127.0.0.1", 1)]
    loop.writer.rules_changed(RouteTable.build((), Identity(), mirror_to=elsewhere))
    assert loop.rerun._presence.watches(loop.target)
    loop.rerun.start()
    await until(lambda: loop.rerun.results)
    (result,) = loop.rerun.results.values()
    assert result.words == "0 of 1 fixed, 0 left, 0 new, 1 unknown (rule_gone)"
    assert not loop.rerun.kept and not loop.rerun._presence._watched


async def test_it_is_off_by_default_and_can_be_switched(make: Make) -> None:
    loop = await make(rerun=False, responses="keep")
    loop.answers = different("/a", "/b")
    await loop.get("/a")
    assert not loop.rerun.kept and loop.writer.sender.keeps is None
    with pytest.raises(ValueError, match="set mirror_rerun=true"):
        loop.rerun.start()
    loop.writer.apply(settings(), frozenset({"mirror_rerun"}))
    assert loop.writer.compares  # without a view or a record
    await loop.get("/b")
    assert len(loop.rerun.kept) == 1
    loop.rerun._returned(loop.target)
    loop.writer.apply(settings(rerun=False), frozenset({"mirror_rerun"}))
    assert not loop.rerun.kept and loop.rerun not in loop.writer.observers
    assert not loop.writer.compares


def test_responses_are_needed() -> None:
    with pytest.raises(OptionError, match="mirror_rerun=true: mirror_responses=discard leaves nothing to compare"):
        check_files(settings(responses="discard"), {"mirror_responses"})
    check_files(settings(responses="discard", rerun=False), {"mirror_responses"})


async def test_a_restart_is_noticed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it together: the looks at the port, and the run."""
    monkeypatch.setattr(presence, "INTERVAL", 0.01)
    loop = await make()
    loop.answers = different("/a")
    await loop.get("/a")
    target = loop.target
    loop.answers = {}
    await until(lambda: loop.rerun._presence._watched[target].listeners)
    loop.rerun._presence._watched[target].listeners = frozenset({b"0"})  # that of a process before
    await until(lambda: target in loop.rerun.results)
    assert loop.rerun.results[target].words == "1 of 1 fixed, 0 left, 0 new"


def test_words() -> None:
    result = RerunResult(0.0, "b/v2\x1b[31m", 14, 12, 2, ("a", "b", "c", "d"), {"queue_full": 1}, ())
    assert result.words == "12 of 14 fixed, 2 left, 4 new, 1 unknown (queue_full)"
    assert result.line.endswith("; new: a, b, c and 1 more") and "\x1b" not in result.line
