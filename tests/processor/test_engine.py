from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.processor.engine import ignored_in
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.header_edits import HeaderEdit


async def test_the_subject_of_a_record(tell: Callable[..., Any], tmp_path: Any) -> None:
    told = tell(values={"record": str(tmp_path / "r.jsonl"), "record_bodies": True})
    told.request("/x?a", (b"a", b"1"))
    (shadow, _) = told.dispatcher.shadows
    subject = shadow.subject
    assert (subject.rule, subject.route, subject.method) == ("default/shop http[5]", "v1", "GET")
    assert (subject.url, subject.client) == ("http://shop.test/x?a", "198.51.100.7:5000")
    assert subject.headers == ((b"Host", b"shop.test"), (b"a", b"1"))  # as the client sent it
    assert told.dispatcher.recordings[0].path == str(tmp_path / "r.jsonl")


async def test_header_fields_that_the_route_edits_are_not_compared(told: Any) -> None:
    told.request("/x")
    assert told.dispatcher.shadows[0].subject.ignore == "header:x-add,header:x-gone,header:x-set"


def test_nothing_is_ignored_without_edits() -> None:
    assert ignored_in(Decision(Action.ROUTE)) == ""
    edit = HeaderEdit(frozenset({b"a"}), ((b"B", b"1"),), ((b"c", b"1"),), ())
    assert ignored_in(Decision(Action.ROUTE, response_headers=(edit,))) == "header:a,header:b,header:c"


async def test_without_comparison_nothing_of_the_answer_is_kept(tell: Callable[..., Any]) -> None:
    told = tell(values={"responses": "discard"})
    told.request("/x")
    told.answer(b"200", (b"a", b"1"))
    told.body(b"body", end=True, answer=True)
    assert told.dispatcher.answers == []  # nothing is recorded either
    told.dispatcher.respond()
    assert [pair.primary_status for pair in told.pairs] == [200, 200]


async def test_a_control(tell: Callable[..., Any]) -> None:
    told = tell(values={"control": "100%"})
    told.request("/x")
    assert [request.target.label for request, _ in told.dispatcher.offers] == ["m1", "m2", "control:v1"]


async def test_rules_of_comparison_are_passed_on_once(told: Any) -> None:
    assert told.engine.compare_by("ignore: [a]\n")
    assert not told.engine.compare_by("ignore: [a]\n")
    assert [each.rules for each in told.dispatcher.recordings] == ["", "ignore: [a]\n"]


async def test_a_shadow_that_cannot_be_made_does_not_keep_others(told: Any, caplog: Any, monkeypatch: Any) -> None:
    made = told.engine._maker.shadow

    def fails(routed: Any, mirror: Any, body: Any) -> Any:
        if mirror.cluster.label == "m1":
            raise RuntimeError("no")
        return made(routed, mirror, body)

    monkeypatch.setattr(told.engine._maker, "shadow", fails)
    told.request("/x")
    assert ([request.target.label for request, _ in told.dispatcher.offers], told.dropped) == (
        ["m2"],
        {"unsendable": 1},
    )
    assert "please report" in caplog.text


async def test_the_end(told: Any, caplog: pytest.LogCaptureFixture) -> None:
    told.request("/x")
    with caplog.at_level(logging.INFO):
        await told.engine.close(1.5)
    assert told.dispatcher.closed == 1.5
    assert "offered 2" in caplog.text


async def test_lag_is_what_envoy_did_not_measure(told: Any) -> None:
    told.engine.measure_lag(None, 1.0, 2.0)
    told.engine.measure_lag(5.0, None, 2.0)
    told.engine.measure_lag(5.0, 1.0, 1.012)
    assert told.engine.counts.lag.total == pytest.approx(7.0)
