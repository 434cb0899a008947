"""Go durations, the form in which Istio's YAML, this addon's annotations and its options write lengths of time."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"([+-]?)((?:{_PART})+)")
_PARTS = re.compile(r"([0-9.]+)([a-zµμ]+)")
_LONGEST = 2**63 / 1e9
"""Seconds; Go counts a duration's nanoseconds in a signed 64-bit integer."""


def parse_duration(text: object) -> float:
    """Return the seconds of a duration in the syntax of Go's `time.ParseDuration` (`1h`, `1m30s`, `250ms`).

    Raises ValueError for anything else, including values that are not text.
    """
    if isinstance(text, str):
        if text in ("0", "+0", "-0"):
            return 0.0
        if match := _DURATION.fullmatch(text):
            sign, parts = match.groups()
            total = sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(parts))
            if total <= _LONGEST:
                return -total if sign == "-" else total
    raise ValueError(f"{text!r} is not a duration; write it as in '30s', '1m30s' or '250ms'")
