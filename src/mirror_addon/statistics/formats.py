"""How numbers, times and values are written for people: on the live page, in the terminal and in Mirror Diff. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from mirror_addon.display.pages import THIN_SPACE
from mirror_addon.display.text import printable

NONE = "–"
SHOWN_VALUE = 300
"""Characters of a value."""


def milliseconds(value: float | None) -> str:
    """Return `0.84 ms`, `12 ms` or `1.3 s` for milliseconds; a dash for None."""
    if value is None:
        return NONE
    if value == 0:
        return "0 ms"
    if value >= 10_000:
        return f"{value / 1000:.0f} s"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    if value >= 10:
        return f"{value:.0f} ms"
    return f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def gap(primary: float | None, shadow: float | None) -> str:
    """Return by how much the shadow took longer, as `+41 ms`; both are in milliseconds."""
    if primary is None or shadow is None:
        return NONE
    sign = "+" if shadow >= primary else "−"
    return sign + milliseconds(abs(shadow - primary))


def share(part: int, whole: int) -> str:
    """Return `12 %`, `0.3 %` or `< 0.01 %`; a dash if `whole` is 0."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if part != whole and percent > 99.99:
        return "> 99.99 %"
    return f"{percent:.3g} %"


def number(value: float) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", THIN_SPACE)


def amount(value: float) -> str:
    """Return `0.4`, `12` or `1 200`."""
    return number(round(value)) if value >= 10 else f"{value:.3g}"


def clock(moment: float) -> str:
    """Return the local time of day of a time in seconds since the epoch."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def iso(moment: float) -> str:
    """Return a time in seconds since the epoch in ISO 8601, with the local zone's offset."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))


def span(seconds: float) -> str:
    """Return `40 s`, `12 min`, `3 h 5 min` or `2 days`."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def shortened(text: str, length: int = SHOWN_VALUE) -> str:
    """Cut `text` after `length` characters, and append how many it has."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def shown_value(value: object) -> str:
    """Return a value as JSON on one line, shortened; as Python writes it if JSON cannot hold it."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = repr(value)
    return printable(shortened(text))


def status(value: int | None) -> str:
    """Return a status code; `no response` for None."""
    return "no response" if value is None else str(value)


FILTERS: dict[str, Callable[..., str]] = {
    "ms": milliseconds,
    "gap": gap,
    "share": share,
    "number": number,
    "clock": clock,
    "iso": iso,
    "span": span,
    "value": shown_value,
    "status": status,
}
"""For Jinja templates, by name."""
