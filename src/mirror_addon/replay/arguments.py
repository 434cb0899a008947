"""What is written after the options of `mirror-addon replay`. Functions raise ValueError, which says what to write."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from mirror_addon.options.values import TOKEN
from mirror_addon.options.values import positive_duration
from mirror_addon.options.values import share

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_RATE = re.compile(rf"({_NUMBER})(?:\s*/\s*(s|min|m|h))?", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})


def parse_speed(text: str) -> float:
    """`2`, `0.5`, `2x`; `max` is infinite."""
    text = text.strip()
    if text == "max":
        return math.inf
    number = text.removesuffix("x")
    if not re.fullmatch(_NUMBER, number, re.ASCII) or not float(number):
        raise ValueError("must be how many times as fast as recorded, as in 2 or 0.5, or max")
    return float(number)


def parse_rate(text: str) -> float:
    """Requests a second: `200/s`, `200`, `12000/min`, `0.5/s`."""
    match = _RATE.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise ValueError("must be requests in a time, as in 200/s, 6000/min or 0.5/s")
    return float(match[1]) / _SECONDS[match[2] or "s"]


def parse_loop(text: str) -> float:
    """`3`; `forever` is infinite."""
    if text == "forever":
        return math.inf
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not int(text):
        raise ValueError("must be how many times, as in 3; --loop alone is until Ctrl-C")
    return int(text)


def parse_header(text: str) -> tuple[bytes, bytes]:
    """`Name: value`. A Host is the authority."""
    name, colon, value = text.partition(":")
    if not colon or not TOKEN.fullmatch(name.strip()) or re.search(r"[\0\r\n]", value):
        raise ValueError("write 'Name: value'")
    field = name.strip().encode()
    if field.lower() in _FRAMING:
        raise ValueError(f"{name.strip()} is set by what is sent; it cannot be replaced")
    return field, value.strip().encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is broken of what goes to mirrors. Shares are 0..1."""

    delays: tuple[tuple[float, float], ...] = ()
    """(seconds, share)"""
    abort: float = 0.0


def parse_faults(text: str) -> Faults:
    """`delay=2s:10%,abort=5%`: so many are held back by so long, and so many cut midway. Without a share: all."""
    delays: list[tuple[float, float]] = []
    abort: float | None = None
    if not text.strip():
        return Faults()
    for part in text.split(","):
        kind, equals, value = part.strip().partition("=")
        if kind == "delay" and equals:
            time, colon, percent = value.partition(":")
            delays.append((positive_duration(time.strip()), share(percent) if colon else 1.0))
        elif kind == "abort" and equals and abort is None:
            abort = share(value)
        elif kind == "abort" and equals:
            raise ValueError("abort is there twice")
        else:
            raise ValueError("write delay=DURATION:SHARE and abort=SHARE with commas, as in delay=2s:10%,abort=5%")
    return Faults(tuple(delays), abort or 0.0)
