from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest

from mirror_addon.admission import expiry_log as module
from mirror_addon.admission.expiry_log import ExpiryLog
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Rule


class Clock:
    """What the time is, in seconds, until a test changes it."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: made.now))
    return made


def rule(name: str, expires: float | None = None, active: tuple[float, float] | None = None) -> Rule:
    return Rule(f"default/{name}", "http[0]", "", "", MirrorAnnotations(expires=expires, active=active))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().partition(" (")[0] for record in caplog.records]


async def until(caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    async with asyncio.timeout(30):
        while len(caplog.records) < count:
            await asyncio.sleep(0.01)
    return said(caplog)


async def test_each_end_is_told_when_it_comes_and_once(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    caplog.set_level(logging.INFO)
    now = clock.now
    expiry_log = ExpiryLog()
    rules = [rule("b", now + 0.3), rule("a", now + 0.1), rule("far", now + 1000), Rule("default/no", "http[0]", "", "")]
    expiry_log.of_rules(rules)
    assert said(caplog) == []
    clock.now += 0.2
    assert len(await until(caplog, 1)) == 1
    clock.now += 0.2
    assert await until(caplog, 2) == [
        "mirror: default/a http[0]: expired: it is not mirrored any more; routing goes on",
        "mirror: default/b http[0]: expired: it is not mirrored any more; routing goes on",
    ]
    expiry_log.of_rules(rules)
    expiry_log.look()
    assert len(caplog.records) == 2, "a reload does not tell it again"
    expiry_log.stop()


async def test_what_is_over_at_the_start_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    expiry_log = ExpiryLog()
    expiry_log.of_rules([rule("a", 1.0), rule("b", active=(1.0, 2.0))])
    assert said(caplog) == [
        "mirror: default/a http[0]: expired: it is not mirrored any more; routing goes on",
        "mirror: default/b http[0]: not active any more",
    ]
    expiry_log.of_rules([rule("a", 3.0)])
    assert len(caplog.records) == 3, "it was given another end"
    expiry_log.stop()


async def test_a_window_opens_and_closes(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    caplog.set_level(logging.INFO)
    expiry_log = ExpiryLog()
    expiry_log.of_rules([rule("a", active=(clock.now + 0.1, clock.now + 0.2))])
    clock.now += 0.15
    assert len(await until(caplog, 1)) == 1
    clock.now += 0.15
    assert await until(caplog, 2) == [
        "mirror: default/a http[0]: active from now on",
        "mirror: default/a http[0]: not active any more",
    ]
    expiry_log.stop()


async def test_the_end_of_the_run(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    caplog.set_level(logging.INFO)
    expiry_log = ExpiryLog()
    expiry_log.of_run(clock.now + 0.1)
    expiry_log.of_rules([])
    assert said(caplog) == []
    clock.now += 0.1
    assert await until(caplog, 1) == [
        "mirror: mirror_expires has passed: nothing is mirrored any more; routing goes on"
    ]
    expiry_log.of_run(None)
    expiry_log.look()
    assert len(caplog.records) == 1


async def test_nothing_is_told_after_the_stop(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    caplog.set_level(logging.INFO)
    expiry_log = ExpiryLog()
    expiry_log.of_run(clock.now + 0.05)
    expiry_log.stop()
    clock.now += 1
    await asyncio.sleep(0.1)
    assert said(caplog) == []
