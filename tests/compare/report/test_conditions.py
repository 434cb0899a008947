from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.report.conditions import OPERATORS
from mirror_addon.compare.report.conditions import UNITS
from mirror_addon.compare.report.conditions import ConditionError
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.summary import Summary

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("differing > 0.1%", (False, "differing", ">", 0.1, "%")),
        ("p95 > 1.2x", (False, "p95", ">", 1.2, "x")),
        ("failed>1%", (False, "failed", ">", 1, "%")),
        ("dropped > 0", (False, "dropped", ">", 0, "")),
        ("  each   p99 >= .5 s ", (True, "p99", ">=", 0.5, "s")),
        ("p50 > +20ms", (False, "p50", ">", 20, "+ms")),
        ("compared < 1000", (False, "compared", "<", 1000, "")),
        ("each requests<=3", (True, "requests", "<=", 3, "")),
    ],
)
def test_what_can_be_written(text: str, expected: tuple[Any, ...]) -> None:
    found = parse_condition(text)
    assert (found.each, found.measure, found.operator, found.value, found.unit) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a condition"),
        ("differing", "is not a condition"),
        ("differing = 1%", "is not a condition"),
        ("differing > -1%", "is not a condition"),
        ("differing > 1% and failed > 1%", "is not a condition"),
        ("differing > nan%", "is not a condition"),
        ("differing > 1e3", "is not a condition"),
        ("every failed > 1", "is not a condition"),
        ("different > 1%", "unknown measure 'different'; the measures are differing, failed"),
        ("p90 > 1x", "unknown measure 'p90'"),
        ("differing > 1x", "differing takes values such as 0.1%, 5"),
        ("differing > 1ms", "values such as"),
        ("p95 > 10", "p95 takes values such as 1.2x, 250ms, 2s, +20ms, +1s"),
        ("p95 > 10%", "values such as"),
        ("p95 > +1.2x", "values such as"),
        ("compared < 5%", "values such as 5"),
        ("failed > +5", "values such as"),
        ("failed > 101%", "at most 100%"),
    ],
)
def test_what_cannot(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse_condition(text)
    assert said in str(error.value)
    assert repr(text) in str(error.value)


@given(
    st.text(max_size=30) | st.from_regex(r"(each )?(p95|failed|x) ?[<>]=? ?\+?[0-9.]{0,4}(%|x|ms|s)?", fullmatch=True)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConditionError):
        assert parse_condition(text).measure in UNITS


@given(
    st.booleans(),
    st.sampled_from([(measure, unit) for measure, units in UNITS.items() for unit in units]),
    st.sampled_from(sorted(OPERATORS)),
    st.decimals(0, 100, places=3),
    st.sampled_from(["", " ", "  "]),
)
def test_what_is_written_is_read(each: bool, form: tuple[str, str], operator: str, value: Any, space: str) -> None:
    measure, unit = form
    plus, suffix = ("+", unit[1:]) if unit.startswith("+") else ("", unit)
    text = f"{'each ' if each else ''}{measure}{space}{operator}{space}{plus}{value}{space}{suffix}"
    assert parse_condition(text) == FailCondition(" ".join(text.split()), each, measure, operator, float(value), unit)


def asked(summary: Summary, *texts: str) -> list[tuple[str, bool | None, str]]:
    return [
        (each.endpoint, each.holds, each.found) for each in judge([parse_condition(text) for text in texts], summary)
    ]


@pytest.fixture
def summary(line: Record, different: Record, lost: Record, summary_of: Summarise) -> Summary:
    """A hundred pairs: 2 differ, 3 failed, 1 dropped; the shadow takes 1.2 times the primary's 10 ms."""
    return summary_of(
        *[line()] * 92, *[different("$.a")] * 2, *[lost("reset")] * 3, lost("queue_full"),
        *[line(url="http://b/slow", ms=40.0)] * 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("differing > 2%", True),
        ("differing > 2.1%", False),
        ("differing > 1", True),
        ("differing >= 2", True),
        ("differing > 2", False),
        ("failed > 2.9%", True),
        ("failed > 3%", False),
        ("dropped > 0", True),
        ("dropped < 1", False),
        ("compared < 100", True),
        ("compared < 96", False),
        ("requests < 100", False),
        ("p50 > 1.1x", True),
        ("p50 > 1.3x", False),
        ("p50 > 11ms", True),
        ("p50 > 13ms", False),
        ("p50 > 0.011s", True),
        ("p99 > 0.03s", True),
        ("p50 > +1.5ms", True),
        ("p50 > +2.5ms", False),
        ("p50 > +0.001s", True),
    ],
)
def test_of_the_whole(summary: Summary, text: str, holds: bool) -> None:
    ((endpoint, found, said),) = asked(summary, text)
    assert (endpoint, found) == ("", holds)
    assert text.split()[0] in said


def test_of_each_endpoint(summary: Summary) -> None:
    found = {endpoint: holds for endpoint, holds, _ in asked(summary, "each p50 > 2x")}
    assert found == {"GET /users/{id}": False, "GET /slow": True}


def test_the_outcome_in_words(summary: Summary) -> None:
    (outcome,) = judge([parse_condition("differing > 1%")], summary)
    assert str(outcome).startswith("'differing > 1%' holds for b/v1 → b/v2: differing 2 of 96, 2.08 % (")
    (outcome,) = judge([parse_condition("dropped > 1%")], summary)
    assert str(outcome) == "'dropped > 1%' does not hold for b/v1 → b/v2: dropped 1 of 100, 1.00 %"
    assert not outcome.failed


@pytest.mark.parametrize(
    "text", ["differing > 50%", "failed > 100%", "dropped > 1000", "p95 > 9x", "each differing > 9%"]
)
def test_shadows_that_all_got_lost_cannot_be_judged(lost: Record, summary_of: Summarise, text: str) -> None:
    summary = summary_of(lost("timeout"), lost("queue_full"))
    (outcome,) = judge([parse_condition(text)], summary)
    assert outcome.holds is None and outcome.failed
    assert "cannot be judged" in str(outcome) and "none of 2 shadows got a response" in str(outcome)


def test_responses_that_were_not_compared(line: Record, summary_of: Summarise) -> None:
    summary = summary_of(line(verdict=None))
    assert [holds for _, holds, _ in asked(summary, "differing > 1%", "failed > 1%", "p50 > 1.5x")] == [
        None,
        False,
        False,
    ]
    untimed = summary_of(line(ms=None))
    assert [holds for _, holds, _ in asked(untimed, "differing > 1%", "p50 > 1.5x")] == [False, None]


def test_targets_are_judged_apart(line: Record, different: Record, summary_of: Summarise) -> None:
    summary = summary_of(line(), different("$.a", target="b/v3"))
    assert [holds for _, holds, _ in asked(summary, "differing > 0")] == [False, True]


def test_findings_of_all_targets_and_of_each_endpoint(
    line: Record, different: Record, lost: Record, summary_of: Summarise
) -> None:
    summary = summary_of(
        different(*(f"$.a{number}" for number in range(6))), line(url="http://b.test/x"),
        different("$.a0", target="b/v3"), different("$.t", noise="accepted"),
    )  # fmt: skip
    assert summary.compared == 4 and summary.differing == 2
    (whole,) = judge([parse_condition("new > 5")], summary)
    assert (whole.target, whole.endpoint, whole.holds) == ("all targets", "", True)
    assert whole.found.startswith("new 6; f") and whole.found.endswith(" and 1 more")
    conditions = [parse_condition(each) for each in ("accepted >= 1", "known > 0")]
    assert [each.holds for each in judge(conditions, summary)] == [True, False]
    found = {each.endpoint: each.holds for each in judge([parse_condition("each findings > 0")], summary)}
    assert found == {"GET /users/{id}": True, "GET /x": False}
    (nothing,) = judge([parse_condition("new > 0")], summary_of(lost("reset")))
    assert nothing.holds is None and nothing.failed
    assert list(judge([parse_condition("new > 0")], summary_of(line(control=True)))) == []
