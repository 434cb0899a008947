from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import duration
from mirror_addon.compare.report.wording import interval_text
from mirror_addon.compare.report.wording import percent
from mirror_addon.compare.report.wording import ratio_text
from mirror_addon.compare.report.wording import share_text
from mirror_addon.compare.report.wording import signed
from mirror_addon.compare.report.wording import target_sentence
from mirror_addon.compare.report.wording import times
from mirror_addon.compare.report.wording import value_text
from mirror_addon.compare.report.wording import verdict
from mirror_addon.display.text import printable

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.0123, "1.23 %"),
        (0.00012, "0.012 %"),
        (1e-9, "< 0.001 %"),
        (0.99999999, "> 99.99 %"),
        (0.9995, "99.95 %"),
    ],
)
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text


@given(st.integers(1, 10**9 - 1))
def test_a_share_never_looks_like_none_or_all(count: int) -> None:
    assert percent(count / 10**9) not in ("0 %", "0.000 %", "100 %", "100.00 %", "100.0 %")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (0.0123, "12 µs"),
        (0.999, "999 µs"),
        (1, "1.00 ms"),
        (12.34, "12.3 ms"),
        (123.4, "123 ms"),
        (1234, "1.23 s"),
        (3e7, "30,000 s"),
    ],
)
def test_duration(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


def test_signs_and_ratios() -> None:
    assert [signed(each) for each in (2.0, -2.0, 0.0)] == ["+2.00 ms", "−2.00 ms", "0 ms"]
    assert [times(each) for each in (1.234, 1234.5)] == ["1.23x", "1,234x"]
    assert interval_text(Interval(1, -1.0, 2.0)) == "−1.00 ms to +2.00 ms"
    assert interval_text(Interval(1, None, 2.0)) == "too few pairs for an interval"
    assert ratio_text(Interval(1.5, 1.2, 1.8)) == "1.50x (1.20x to 1.80x)"
    assert ratio_text(Interval(1.5, None, None)) == "1.50x"
    assert ratio_text(None) == ""
    assert (counted(1, "pair"), counted(1000, "pair")) == ("1 pair", "1,000 pairs")


@given(st.text())
def test_printable_is_printable_and_leaves_what_is(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
    if text.isprintable():
        assert printable(text) == text


def test_values() -> None:
    assert [value_text(each) for each in (1, "1", None, "é\u202e\x1b", {"a": [1]})] == [
        "1", '"1"', "null", '"é\\u202e\\u001b"', '{"a": [1]}',
    ]  # fmt: skip


def test_verdicts(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    equal = {"ms": 10.0}
    for records, expected in (
        ([line(**equal)] * 20, "b/v2 responds to 20 requests as the primary does."),
        ([line()] * 20, "b/v2 responds to 20 requests as the primary does and is slower (p50 1.20x)."),
        ([line(ms=5.0)] * 20, "b/v2 responds to 20 requests as the primary does and is faster (p50 0.50x)."),
        ([line(**equal), different("$.a", **equal)], "b/v2 responds differently to 50.0 % of 2 requests."),
        ([line(**equal), lost("reset")], "b/v2 responds to 1 request as the primary does; 1 shadow got no response."),
        ([lost("reset")], "b/v2: no responses were compared; 1 shadow got no response."),
        ([line(control=True)], "The record has control pairs only: nothing to judge."),
        (
            [line(**equal), different("$.a", target="b/v3"), lost("reset", target="b/v4")],
            "1 of 3 targets respond differently, 1 was not compared, 1 shadow got no response.",
        ),
    ):
        assert verdict(summary_of(*records)) == expected


def test_a_target_in_sentences(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    (target,) = summary_of(*[line()] * 90, *[different("$.a")] * 10, *[lost("reset")] * 2, lost("queue_full")).targets
    told = target_sentence(target)
    assert told.startswith(
        "10.0 % (5.52 % to 17.4 %) of 100 compared pairs differ, at 1 of 1 endpoint. The shadow is slower by"
    )
    assert "; p95 12.0 ms against 10.0 ms, 1.20x (1.20x to 1.20x). " in told
    assert told.endswith(" 2 of 103 shadows failed, 1 were dropped: 2 reset, 1 queue_full.")
    (same,) = summary_of(*[line(ms=10.0)] * 100).targets
    told = target_sentence(same)
    assert "No difference that counts in 100 compared pairs" in told and "fewer than 3.70 % differ" in told
    assert "as fast at the median" in told
    (few,) = summary_of(line()).targets
    assert "Too few pairs (1) to tell which is slower" in target_sentence(few)


def test_a_record_of_several_targets_that_were_all_compared(line: Record, summary_of: Summarise) -> None:
    summary = summary_of(*[line(target=target) for target in ("b/v2", "b/v3")] * 20)
    assert verdict(summary) == "0 of 2 targets respond differently, 2 are slower."


def test_a_share_of_nothing() -> None:
    assert share_text(None) == "nothing compared"
