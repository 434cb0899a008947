from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import summarise
from mirror_addon.dispatch.counters import TargetCounters
from mirror_addon.replay.run import Replay
from mirror_addon.replay.source import Source
from mirror_addon.replay.summary import document
from mirror_addon.replay.summary import failures
from mirror_addon.replay.summary import lines
from mirror_addon.replay.summary import warnings
from mirror_addon.replay.summary import why_nothing


def counters(sent: int = 0, **reasons: dict[str, int]) -> TargetCounters:
    made = TargetCounters()
    made.sent = sent
    for name, words in reasons.items():
        getattr(made, name).update(words)
    return made


@pytest.fixture
def source(capture: Callable[..., Path]) -> Source:
    made = Source(capture(["/a", "/b"]), [], b"10.0.0.1", lambda _: None)
    list(made())
    made.left_out = Counter({"not_http": 2, "upgrade": 1})
    return made


def everything() -> Replay:
    return Replay(
        requests=1200, mirrored=1100, given_up=3, delayed=4, aborted=5, seconds=6.0, latest=0.25, interrupted=True,
        problem="broken", blanked={"authorization": 7, "cookie": 1},
        shadows=counters(1000, failed={"connect": 90, "timeout": 8}, dropped={"aborted": 5}, skipped={"percent": 100}),
    )  # fmt: skip


def test_a_document(source: Source) -> None:
    found = document(everything(), [source])
    assert json.loads(json.dumps(found)) == {
        "captures": [str(source.path)],
        "recorded": 2,
        "filtered": 0,
        "left_out": {"not_http": 2, "upgrade": 1},
        "requests": 1200,
        "mirrored": 1100,
        "given_up": 3,
        "shadows": {
            "offered": 1103,
            "sent": 1000,
            "failed": {"connect": 90, "timeout": 8},
            "dropped": {"aborted": 5},
            "skipped": {"percent": 100},
        },
        "faults": {"delayed": 4, "aborted": 5},
        "redacted": {"authorization": 7, "cookie": 1},
        "seconds": 6.0,
        "rate": 200.0,
        "latest": 0.25,
        "interrupted": True,
        "problem": "broken",
    }
    nothing = document(Replay(), [])
    assert (nothing["rate"], nothing["problem"], nothing["interrupted"]) == (0.0, None, False)


def test_lines(source: Source) -> None:
    assert list(lines(everything(), [source])) == [
        "replayed 1,200 requests stopped by Ctrl-C after 6.0 s (200.0/s), 1,100 of them mirrored",
        "1,103 shadows: 1,000 got a response, 98 failed (connect 90, timeout 8), 5 dropped (aborted 5)",
        "100 skipped: percent 100",
        "faults: 4 delayed, 5 aborted",
        "left out of the captures: not HTTP 2, upgrade 1",
        "3 requests read but not sent",
        "up to 0.2 s behind the recorded times: the mirror, or this machine, is too slow",
    ]
    source.left_out.clear()
    small = Replay(requests=1, mirrored=1, seconds=2.0, latest=0.09, shadows=counters(1))
    assert list(lines(small, [source])) == [
        "replayed 1 request in 2.0 s (0.5/s), 1 of them mirrored",
        "1 shadow: 1 got a response",
    ]


def test_warnings(source: Source) -> None:
    first, second = warnings(everything(), [source])
    assert first.startswith("7 requests sent without authorization, which is redacted in the record")
    assert "--set-header 'cookie: VALUE'" in second
    assert list(warnings(Replay(), [])) == []


@pytest.mark.parametrize(
    ("shadows", "texts", "found"),
    [
        (counters(1), [], []),
        (counters(0, failed={"connect": 1}), [], ["no mirror sent a response"]),
        (counters(0, failed={"connect": 1}), ["failed > 0"], ["nothing to judge: no mirror got a shadow"]),
    ],
)
def test_failures(shadows: TargetCounters, texts: list[str], found: list[str]) -> None:
    conditions = [parse_condition(text) for text in texts]
    replay = Replay(requests=1, shadows=shadows)
    outcomes: list[Any] = list(judge(conditions, summarise(replay.tally, NoiseRule())))
    assert failures(replay, conditions, outcomes, []) == found


def test_why_nothing_was_mirrored(source: Source) -> None:
    """Each with what to do about it."""
    nothing = Replay()
    source.left_out.clear()
    source.filtered = 0
    assert why_nothing(nothing, [source]) == "nothing was mirrored, because no request was replayed"
    source.left_out.update({"body_not_kept": 2, "upgrade": 1})
    source.filtered = 3
    said = why_nothing(nothing, [source])
    assert "body not recorded 2, upgrade 1, not matched by the filter 3" in said
    assert "mirror_record_bodies=true" in said
    replayed = Replay(requests=1, shadows=counters(0, skipped={"percent": 1}))
    assert "(percent 1); --all mirrors" in why_nothing(replayed, [])
    replayed.missing = {"b/v2": "no endpoint for b/v2: ...; --set mirror_endpoints=b/v2=ADDRESS:PORT"}
    assert "no mirror's endpoint is known: no endpoint for b/v2" in why_nothing(replayed, [])
    assert "--dry-run shows" in why_nothing(Replay(requests=1), [])
    assert why_nothing(Replay(interrupted=True), []) == why_nothing(Replay(shadows=counters(1)), []) == ""
    (first,) = failures(Replay(requests=1), [], [], [])
    assert first.startswith("nothing was mirrored")
