"""Points in time as they are written in answers."""

from __future__ import annotations

import re
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from functools import lru_cache
from typing import NamedTuple

ISO = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|z|UTC|GMT)|[+-]\d\d(?::?\d\d)?)?"
    r"|\d{8}T\d{6}(?:\.\d{1,9})?(?:Z|[+-]\d{4})?"
)
"""ISO 8601 and RFC 3339, extended and basic, with or without zone, fraction and seconds."""

HTTP = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? "
    r"(?:\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})"
)
"""RFC 9110's dates, the obsolete ones too, and those of mails and cookies."""

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)([T ])(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?"
    r"( ?(?:Z|z|UTC|GMT)|[+-]\d\d(?::?\d\d)?)?"
)
_HTTP = re.compile(r"\w+,? (\d{1,2})[ -](\w{3})[ -](\d{2,4}) (\d\d):(\d\d):(\d\d) (GMT|UTC|[+-]\d{4})")
_ASCTIME = re.compile(r"\w{3} (\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


class Moment(NamedTuple):
    """A point in time. `style`: how it is written; two of the same style differ in nothing but the time.

    `seconds`: since the epoch. `local`: it names no zone; `seconds` takes it for UTC.
    """

    seconds: float
    style: tuple[str, ...]
    local: bool


@lru_cache(maxsize=4096)
def moment(text: str) -> Moment | None:
    """The point in time that `text` is, as a whole. None: it is none."""
    try:
        if found := _ISO.fullmatch(text):
            return _iso(found)
        if found := _HTTP.fullmatch(text):
            day, month, year, hour, minute, second, zone = found.groups()
            years = int(year) if len(year) > 2 else 2000 + int(year) - (100 if int(year) > 69 else 0)
            time = datetime(
                years, _month(month), int(day), int(hour), int(minute), int(second) % 60, tzinfo=_zone(zone)
            )
            return Moment(time.timestamp(), ("http", str(len(year)), zone), False)
        if found := _ASCTIME.fullmatch(text):
            month, day, hour, minute, second, year = found.groups()
            time = datetime(int(year), _month(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            return Moment(time.timestamp(), ("asctime",), False)
    except (ValueError, OverflowError):  # the 31st of June, a month that is none
        return None
    return None


def _iso(found: re.Match[str]) -> Moment:
    year, month, day, separator, hour, minute, second, fraction, zone = found.groups()
    time = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0) % 60, tzinfo=_zone(zone))
    style = ("iso", separator, "s" if second else "", "f" if fraction else "", zone or "", str("-" in found[0][:5]))
    return Moment(time.timestamp() + float(f"0.{fraction or 0}"), style, zone is None)


def _month(name: str) -> int:
    return _MONTHS.index(name) // 3 + 1


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
