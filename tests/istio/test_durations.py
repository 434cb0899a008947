from __future__ import annotations

import pytest

from mirror_addon.istio.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1h", 3600.0),
        ("1m30s", 90.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("250ms", 0.25),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("1ns", 1e-9),
        ("-2s", -2.0),
        ("+2s", 2.0),
        ("0", 0.0),
        ("-0", 0.0),
    ],
)
def test_durations_as_go_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "5", "s", "1 s", "1d", "1s ", ".s", "1s30", "9999999h", 5, None, ["1s"]])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it as in '30s'"):
        parse_duration(value)
