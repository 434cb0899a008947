"""Why nothing has been mirrored: each cause has its sentence."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from mirror_addon.live_page.state import State
from mirror_addon.live_page.state import not_started
from mirror_addon.live_page.why_nothing import why_nothing
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import RuleView
from mirror_addon.routing.trace import rules
from mirror_addon.statistics.pair_statistics import PairStatistics
from mirror_addon.statistics.reasons import REASONS


@pytest.fixture
def mirrored(example_table: RouteTable) -> list[RuleView]:
    found = [view for view in rules(example_table) if view.mirrors]
    assert len(found) == 1
    return found


def told(mirrored: list[RuleView], **changes: Any) -> str:
    fields: dict[str, Any] = {"mode": "mirroring", "requests": 10, "totals": {}} | changes
    return " ".join(why_nothing(State(now=time.time(), statistics=PairStatistics(), **fields), mirrored))


def test_not_started() -> None:
    assert "has not started" in " ".join(why_nothing(not_started(), []))


def test_no_rule_mirrors() -> None:
    assert told([]).startswith("Nothing is to be mirrored: no rule has a mirror")


@pytest.mark.parametrize(
    ("mode", "said"), [("paused", "press Resume"), ("off", "mirror_enabled"), ("expired", "mirror_expires")]
)
def test_switched_off(mirrored: list[RuleView], mode: str, said: str) -> None:
    assert said in told(mirrored, mode=mode)


def test_no_request_yet(mirrored: list[RuleView]) -> None:
    said = told(mirrored, requests=0, addresses=("127.0.0.1:8080",))
    assert said == "No request has come through the proxy yet. Send one: curl -x http://127.0.0.1:8080 http://HOST/PATH"
    assert told(mirrored, requests=0) == "No request has come through the proxy yet."


def test_every_mirror_at_nothing(mirrored: list[RuleView]) -> None:
    view = mirrored[0]
    mirror = replace(view.mirrors[0], fraction=replace(view.mirrors[0].fraction, percent=0))
    assert "at 0 percent" in told([replace(view, mirrors=(mirror,))])


def test_skipped_by_rule(mirrored: list[RuleView]) -> None:
    said = told(mirrored, totals={"offered": 0, "skipped": 10, "skipped.percent": 3, "skipped.method": 7})
    assert said.startswith("Every shadow was skipped: 7 method (")
    assert "3 percent (" in said


def test_no_rule_was_met(mirrored: list[RuleView]) -> None:
    assert told(mirrored).startswith("None of the 10 requests matched a rule that mirrors")
    assert "No rule names the host or path of 7 of them" in told(mirrored, unmatched=7)


@pytest.mark.parametrize(("kind", "word"), [("dropped", "queue_full"), ("failed", "connect")])
def test_all_dropped_or_failed(mirrored: list[RuleView], kind: str, word: str) -> None:
    said = told(mirrored, totals={"offered": 9, "sent": 0, kind: 9, f"{kind}.{word}": 9})
    assert said == f"9 of 9 {kind}: 9 {word} ({REASONS[word]})."


def test_on_the_way(mirrored: list[RuleView]) -> None:
    assert told(mirrored, totals={"offered": 2, "pending": 2}).startswith("2 of 2 pending")


def test_silent_once_something_was_mirrored(mirrored: list[RuleView]) -> None:
    assert told(mirrored, totals={"offered": 9, "sent": 1, "failed": 8}, mode="paused") == ""
