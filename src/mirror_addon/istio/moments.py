"""Times and intervals in annotations: RFC 3339 times, Go durations, ISO 8601 intervals."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta

from pydantic import TypeAdapter
from pydantic import ValidationError

from mirror_addon.istio.durations import parse_duration

_EXACT_DURATION = re.compile(r"P(?=[0-9T])([0-9]+W|([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+([.,][0-9]+)?S)?)?)")
_TIMEDELTA = TypeAdapter(timedelta)


def parse_moment(text: str) -> float:
    """Return the seconds since the epoch of a time with its offset from UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r:.80} is not a time; write it as in 2026-11-22T20:00:00+08:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r:.80} has no offset from UTC; append one, as in +08:00 or Z")
    return moment.timestamp()


def parse_end(text: str, changed: float | None) -> float | None:
    """Return the time, in seconds since the epoch, of a text that is a time or a Go duration after `changed`.

    `changed` is when the file was last changed. Where that is unknown (None), a duration never ends: the result is
    None. Raises ValueError.
    """
    try:
        seconds = parse_duration(text)
    except ValueError:
        try:
            return parse_moment(text)
        except ValueError as error:
            raise ValueError(f"{error}, or a duration since the file's last change, as in 72h") from None
    if seconds <= 0:
        raise ValueError(f"{text!r:.80} ends at once; write a duration above 0, as in 72h")
    return None if changed is None else changed + seconds


def parse_interval(text: str) -> tuple[float, float]:
    """Return start and end, in seconds since the epoch, of START/END, START/DURATION or DURATION/END.

    Months and years are refused in durations, because their length varies. Raises ValueError.
    """
    first, slash, second = text.strip().partition("/")
    if not slash or "/" in second:
        raise ValueError(
            f"{text!r:.80} is not an interval; write START/END or START/DURATION: 2026-11-22T20:00+08:00/PT30M"
        )
    if first.startswith("P"):
        end = parse_moment(second)
        start = end - _iso_duration(first)
    else:
        start = parse_moment(first)
        end = start + _iso_duration(second) if second.startswith("P") else parse_moment(second)
    if start >= end:
        raise ValueError(f"{text!r:.80} ends before it begins; put the earlier time first")
    return start, end


def _iso_duration(text: str) -> float:
    if not _EXACT_DURATION.fullmatch(text):
        raise ValueError(f"{text!r:.80} is not a duration here; write days, hours and minutes, as in P1DT12H or PT30M")
    try:
        return _TIMEDELTA.validate_python(text.replace(",", ".")).total_seconds()
    except (ValidationError, OverflowError):
        raise ValueError(f"{text!r:.80} is too long") from None


def say_moment(seconds: float) -> str:
    """Return seconds since the epoch as `2026-11-22T20:00:00+08:00`, in this machine's time zone."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s after 1970"
