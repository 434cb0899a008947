"""Timestamps as responses write them."""

from __future__ import annotations

import re
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from functools import lru_cache
from typing import NamedTuple

ISO = (
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|z|UTC|GMT)|[+-]\d\d(?::?\d\d)?)?"
    r"|\d{8}T\d{6}(?:\.\d{1,9})?(?:Z|[+-]\d{4})?"
)
"""A regex for ISO 8601 and RFC 3339, extended and basic, with or without zone, fraction and seconds."""

HTTP = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? "
    r"(?:\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})"
)
"""A regex for HTTP dates (RFC 9110 5.6.7, obsolete formats too), and those of mail (RFC 5322) and cookies."""

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)([Tt ])(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?"
    r"( ?(?:Z|z|UTC|GMT)|[+-]\d\d(?::?\d\d)?)?"
)
_HTTP = re.compile(r"\w+,? (\d{1,2})[ -](\w{3})[ -](\d{2,4}) (\d\d):(\d\d):(\d\d) (GMT|UTC|[+-]\d{4})")
_ASCTIME = re.compile(r"\w{3} (\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


class Timestamp(NamedTuple):
    """A point in time and how it is written. Texts of one `style` differ in nothing except the time.

    `seconds`: since the epoch. `local`: the text has no zone, and `seconds` takes it for UTC.
    """

    seconds: float
    style: tuple[str, ...]
    local: bool


@lru_cache(maxsize=4096)
def parse_timestamp(text: str) -> Timestamp | None:
    """Parse a text that is a timestamp as a whole. None if it is not."""
    try:
        if found := _ISO.fullmatch(text):
            return _iso(found)
        if found := _HTTP.fullmatch(text):
            day, month, year, hour, minute, second, zone = found.groups()
            years = int(year)
            if len(year) == 2:  # as in RFC 6265 5.1.1
                years += 1900 if years > 69 else 2000
            time = datetime(
                years, _month(month), int(day), int(hour), int(minute), int(second) % 60, tzinfo=_zone(zone)
            )
            return Timestamp(time.timestamp(), ("http", str(len(year)), zone), False)
        if found := _ASCTIME.fullmatch(text):
            month, day, hour, minute, second, year = found.groups()
            time = datetime(int(year), _month(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            return Timestamp(time.timestamp(), ("asctime",), False)
    except (ValueError, OverflowError):  # the 31st of June, an unknown month
        return None
    return None


def _iso(found: re.Match[str]) -> Timestamp:
    year, month, day, separator, hour, minute, second, fraction, zone = found.groups()
    time = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0) % 60, tzinfo=_zone(zone))
    style = ("iso", separator, "s" if second else "", "f" if fraction else "", zone or "", str("-" in found[0][:5]))
    return Timestamp(time.timestamp() + float(f"0.{fraction or 0}"), style, zone is None)


def _month(name: str) -> int:
    return _MONTHS.index(name) // 3 + 1


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
