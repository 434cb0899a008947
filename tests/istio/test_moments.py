from __future__ import annotations

import contextlib
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.istio.moments import parse_end
from mirror_addon.istio.moments import parse_interval
from mirror_addon.istio.moments import parse_moment
from mirror_addon.istio.moments import say_moment

EVENING = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text", ["2026-11-22T20:00:00+08:00", "2026-11-22T12:00:00Z", "2026-11-22 12:00:00.000+00:00", "2026-11-22T12:00Z"]
)
def test_a_moment(text: str) -> None:
    assert parse_moment(text) == EVENING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-22T20:00:00", "has no offset"),
        ("2026-11-22", "has no offset"),
        ("tomorrow", "is not a time"),
        ("", "is not a time"),
        ("2026-13-01T00:00:00Z", "is not a time"),
    ],
)
def test_no_moment(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_moment(text)


def test_an_end_by_time_or_by_duration_since_a_change() -> None:
    assert parse_end("2026-11-22T12:00:00Z", 5.0) == EVENING
    assert parse_end("1h30m", 100.0) == 5500.0
    assert parse_end("2h", None) is None
    for wrong in ("0", "-1h", "2 hours", "1d"):
        with pytest.raises(ValueError, match="write"):
            parse_end(wrong, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T20:00+08:00/PT30M", 1800),
        ("2026-11-22T20:00+08:00/P1DT12H", 129600),
        ("2026-11-22T20:00+08:00/P2W", 1209600),
        ("2026-11-22T20:00+08:00/PT1,5S", 1.5),
        ("2026-11-22T20:00+08:00/2026-11-22T12:00:10Z", 10),
    ],
)
def test_an_interval_from_its_start(text: str, seconds: float) -> None:
    assert parse_interval(text) == (EVENING, EVENING + seconds)


def test_an_interval_to_its_end() -> None:
    assert parse_interval("PT1H/2026-11-22T20:00+08:00") == (EVENING - 3600, EVENING)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T20:00+08:00",
        "PT30M",
        "PT30M/PT30M",
        "R5/2026-11-22T20:00+08:00/PT30M",
        "2026-11-22T20:00+08:00/20:30",
        "2026-11-22T20:00+08:00/P1M",
        "2026-11-22T20:00+08:00/P1Y",
        "2026-11-22T20:00+08:00/P",
        "2026-11-22T20:00+08:00/PT",
        "2026-11-22T20:00+08:00/-PT5M",
        "2026-11-22T20:00+08:00/PT0S",
        "2026-11-22T20:00+08:00/2026-11-22T20:00+08:00",
        "2026-11-22T20:00/PT30M",
        "2026-11-22T20:00+08:00/P99999999999999D",
    ],
)
def test_no_interval(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|append|put|too long"):
        parse_interval(text)


MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=5000)))
def test_all_three_forms_say_the_same(start: datetime, length: timedelta) -> None:
    length -= timedelta(microseconds=length.microseconds)
    duration = f"P{length.days}DT{length.seconds}S"
    end = start + length
    forms = [
        f"{start.isoformat()}/{end.isoformat()}",
        f"{start.isoformat()}/{duration}",
        f"{duration}/{end.isoformat()}",
    ]
    for found in map(parse_interval, forms):
        assert found == pytest.approx((start.timestamp(), end.timestamp()), abs=1e-3)


@given(st.text(max_size=60) | st.text("PT0123456789DHMSW/:-+Z.,", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_moment, parse_interval, lambda text: parse_end(text, 0.0)):
        with contextlib.suppress(ValueError):
            read(text)


def test_a_moment_in_words() -> None:
    assert datetime.fromisoformat(say_moment(EVENING)).timestamp() == EVENING
    assert say_moment(1e18).endswith("after 1970")
