from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from mirror_addon.compare.report import times as module
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.times import TimesTally

parse = LineParser(RecordLine)


def tally(lines: Iterable[dict[str, Any]]) -> TimesTally:
    made = TimesTally()
    for each in lines:
        made.add(parse(json.dumps(each).encode()))
    return made


def timed(line: Any, primary: dict[str, Any], shadow: dict[str, Any]) -> dict[str, Any]:
    """A line whose responses have these fields too."""
    made: dict[str, Any] = line()
    made["primary"] |= primary
    made["shadow"] |= shadow
    return made


def test_the_sample_is_of_all_pairs_and_always_the_same(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLE", 50)
    samples = [tally(line(primary_ms=float(number)) for number in range(1000)).sample for _ in range(2)]
    assert samples[0] == samples[1] and len(samples[0]) == 100
    assert 300 < sum(samples[0][::2]) / 50 < 700
    assert set(samples[0][1::2]) == {12.0}


def test_a_pair_without_both_times_is_not_counted(line: Any) -> None:
    assert tally([line(ms=None), line(primary_ms=None), line(primary_status=None)]).pairs == 0


def test_where_a_late_read_may_have_held_up_the_end_the_first_bytes_count(line: Any) -> None:
    late = {"ms": 90.0, "first_ms": 4.0, "clock": "reader"}
    in_time = {"ms": 6.0, "first_ms": 5.0, "clock": "socket"}
    assert list(tally([timed(line, late, in_time)]).sample) == [4.0, 5.0]
    assert list(tally([timed(line, in_time, late)]).sample) == [5.0, 4.0]
    assert list(tally([timed(line, in_time, in_time)]).sample) == [6.0, 6.0]
    assert tally([timed(line, late, in_time | {"first_ms": None})]).pairs == 0
    assert tally([timed(line, late | {"first_ms": None}, in_time)]).pairs == 0
    program = tally([timed(line, late, in_time | {"clock": "program"})])
    assert (list(program.sample), program.inexact) == ([90.0, 6.0], 1)


def test_how_late_the_less_late_program_was(line: Any) -> None:
    assert tally([line()]).lateness == 0
    found = tally(timed(line, {"late_ms": 5.0}, {"late_ms": late}) for late in (1.0, 1.0, 2.0, 9.0))
    assert found.lateness == pytest.approx(2.0, rel=0.01)


def test_several_have_equal_shares_of_the_sample(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLE", 10)
    few, many = tally([line(ms=1.0)] * 5), tally([timed(line, {"late_ms": 1.0}, {"late_ms": 1.0, "ms": 2.0})] * 15)
    whole = TimesTally.merged(each for each in (few, many))
    assert (whole.pairs, whole.inexact, whole.late.count) == (20, 0, 15)
    assert [whole.sample[1::2].count(each) for each in (1.0, 2.0)] == [3, 8]
    assert TimesTally.merged([]).pairs == 0
