from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from mirror_addon.compare.report import terminal as module
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.terminal import terminal_report
from mirror_addon.display.text import printable

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


def printed(summary: Summary, width: int = 200) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    for each in terminal_report(summary):
        console.print(each)
    return out.getvalue()


def test_what_is_told(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    text = printed(
        summary_of(
            *[line()] * 97, *[different("$.price")] * 2, different("$.at", noise="time"), lost("reset"),
            different("$.pod", control=True, target="b/v1"),
        )
    )  # fmt: skip
    lines = text.splitlines()
    assert (
        lines[0]
        == "b/v2 responds differently to 2.00 % of 100 requests and is slower (p50 1.20x); 1 shadow got no response."
    )
    assert "b/v1 → b/v2" in lines
    (row,) = [each for each in lines if each.startswith("GET /users/{id}  ")]
    assert row.split()[2:6] == ["101", "2.00", "%", "1"]
    assert "$.price  2.00 % (0.55 % to 7.00 %)  value" in text
    assert "1 → 2" in text and "GET http://b.test/users/7?x=1  f1/0" in text
    assert "noise: $.at (a time)" in text
    assert "Noise was learned from 1 control pairs." in text


def test_noise_of_the_control_is_told_with_both_shares(line: Record, different: Record, summary_of: Summarise) -> None:
    text = printed(summary_of(different("$.pod"), line(), different("$.pod", control=True), line(control=True)))
    assert "noise: $.pod (the primary differs from itself as often: 50.0 % against 50.0 %)" in text


def test_long_reports_say_what_they_leave_out(
    line: Record, different: Record, summary_of: Summarise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ENDPOINTS", 2)
    monkeypatch.setattr(module, "MAX_FIELDS", 2)
    text = printed(
        summary_of(
            *[line(url=f"http://b/{name}") for name in "abcd"], different("$.a", "$.b", "$.c", "$.d", url="http://b/x")
        )
    )
    assert "and 3 more endpoints; -o FILE.html shows them" in text
    assert "and 2 more fields" in text and "$.c" not in text


@pytest.mark.parametrize("width", [20, 80, 200])
def test_hostile_content_is_printed_as_it_is(hostile_summary: Summary, hostile: str, width: int) -> None:
    text = printed(hostile_summary, width)
    assert "\x1b" not in text and "\u202e" not in text and "\x00" not in text
    if width == 200:
        assert printable(hostile) in text


def test_without_times(line: Record, summary_of: Summarise) -> None:
    (row,) = [each for each in printed(summary_of(line(ms=None))).splitlines() if each.startswith("GET ")]
    assert row.split()[-3:] == ["-", "-", "-"]


def test_findings_with_an_example_and_their_rule(line: Record, different: Record, summary_of: Summarise) -> None:
    text = printed(summary_of(different("$.a"), different("$.b", noise="accepted"), line(verdict="different"), line()))
    assert "2 findings in 2 differing pairs; 1 accepted." in text
    assert "  new       $.a value  1 pair (25.0 %), GET /users/{id}" in text
    assert "    1 → 2  in GET http://b.test/users/7?x=1" in text and "- {path: $.a, accepted: f" in text
    assert "accepted  $.b value" in text and "path: $.b" not in text and "(differences not listed)" in text


def test_calls_of_the_mirror_are_a_sentence(line: Record, summary_of: Summarise) -> None:
    call = {"method": "GET", "url": "http://tax.test/", "state": "different"}
    assert "call" in printed(summary_of(line(calls=[call]))).splitlines()[1]
