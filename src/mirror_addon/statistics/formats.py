"""How numbers, times and values are written on the page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

SHOWN_VALUE = 240


def milliseconds(value: float | None) -> str:
    """`0.84 ms`, `12 ms`, `1.3 s`; a dash for none."""
    if value is None:
        return "–"
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
    """How much longer the shadow took."""
    if primary is None or shadow is None:
        return "–"
    sign = "+" if shadow >= primary else "−"
    return sign + milliseconds(abs(shadow - primary))


def share(part: int, whole: int) -> str:
    """`12 %`, `0.3 %`, `< 0.01 %`; a dash where there is nothing to share."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if part != whole and percent > 99.99:
        return "> 99.99 %"
    return f"{percent:.3g} %"


def number(value: float) -> str:
    """With thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def amount(value: float) -> str:
    """`0.4`, `12`, `1 200`."""
    return number(round(value)) if value >= 10 else f"{value:.3g}"


def clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))


def iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 days`."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def visible(text: str) -> str:
    """`text` with control and direction characters written out, which would let one value pass for another."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown_value(value: Any) -> str:
    """A difference's value: JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return visible(text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…")


def status(value: int | None) -> str:
    return "no answer" if value is None else str(value)


FILTERS: dict[str, Callable[..., str]] = {
    "ms": milliseconds,
    "gap": gap,
    "share": share,
    "number": number,
    "clock": clock,
    "iso": iso,
    "span": span,
    "visible": visible,
    "value": shown_value,
    "status": status,
}
