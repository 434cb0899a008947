"""Times as they are written."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.timestamps import parse_timestamp

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00Z",
        "2026-11-22t12:00:00z",
        "2026-11-22 12:00:00 UTC",
        "2026-11-22T14:00:00+02:00",
        "2026-11-22T06:30:00-0530",
        "20261122T120000Z",
        "2026-11-22T12:00:00.000000000Z",
        "Sun, 22 Nov 2026 12:00:00 GMT",
        "Sunday, 22-Nov-26 12:00:00 GMT",
        "Sun Nov 22 12:00:00 2026",
        "Sun, 22 Nov 2026 13:00:00 +0100",
    ],
)
def test_one_moment_in_many_styles(text: str) -> None:
    found = parse_timestamp(text)
    assert found is not None
    assert found.seconds == NOON
    assert not found.local


def test_without_zone() -> None:
    found = parse_timestamp("2026-11-22T12:00:00")
    assert found is not None
    assert found.local


@pytest.mark.parametrize("text", ["", "2026-11-22", "2026-06-31T00:00:00Z", "Sun, 22 Now 2026 12:00:00 GMT", "12:00"])
def test_none(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.text(max_size=40))
def test_takes_any_text(text: str) -> None:
    parse_timestamp(text)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_as_python_writes_it(time: datetime) -> None:
    found = parse_timestamp(time.isoformat())
    assert found is not None
    assert abs(found.seconds - time.timestamp()) < 1e-5
