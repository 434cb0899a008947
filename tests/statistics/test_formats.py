"""Numbers and values as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.statistics import formats


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0 ms"), (0.05, "0.05 ms"), (1.26, "1.3 ms"), (41.4, "41 ms"), (1300, "1.3 s"), (65_000, "65 s")],
)
def test_milliseconds(value: float | None, said: str) -> None:
    assert formats.milliseconds(value) == said


def test_gap() -> None:
    assert (formats.gap(10, 51), formats.gap(51, 10), formats.gap(None, 1)) == ("+41 ms", "−41 ms", "–")


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "–"),
        (0, 5, "0 %"),
        (1, 8, "12.5 %"),
        (5, 5, "100 %"),
        (1, 10**6, "< 0.01 %"),
        (10**6 - 1, 10**6, "> 99.99 %"),
    ],
)
def test_share(part: int, whole: int, said: str) -> None:
    assert formats.share(part, whole) == said


def test_amount() -> None:
    assert [formats.amount(value) for value in (0, 0.25, 9.5, 12.4, 1234.0)] == ["0", "0.25", "9.5", "12", "1\u202f234"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (40, "40 s"), (720, "12 min"), (11_100, "3 h 5 min"), (7200, "2 h"), (200_000, "2 days")],
)
def test_span(seconds: float, said: str) -> None:
    assert formats.span(seconds) == said


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_values_are_shown_on_a_bounded_line(value: object) -> None:
    shown = formats.shown_value(value)
    assert shown.isprintable()
    assert len(shown) <= (formats.SHOWN_VALUE + 25) * 10


@pytest.mark.parametrize("value", [float("nan"), "x" * 1000, "\udcff", object(), [[]] * 50])
def test_any_value_is_shown(value: object) -> None:
    assert 0 < len(formats.shown_value(value)) < formats.SHOWN_VALUE + 40


def test_values_that_json_cannot_hold() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert formats.shown_value(loop) == "[[...]]"


def test_shortened_text_says_how_long_it_was() -> None:
    assert formats.shortened("x" * 9, 9) == "x" * 9
    assert formats.shortened("x" * 10, 9) == "xxxxxxxxx… (10 characters)"


def test_a_dangling_surrogate_is_shown() -> None:
    formats.shown_value("\udc80").encode()


def test_times() -> None:
    assert formats.iso(0)[:4] in ("1969", "1970")
    assert len(formats.clock(0)) == 8
    assert (formats.status(None), formats.status(204)) == ("no response", "204")
