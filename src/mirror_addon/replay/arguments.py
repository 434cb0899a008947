"""The values of the options and arguments of `mirror-addon replay`.

Every function takes the text and raises ValueError, whose message says what to write.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mirror_addon.admission.when import When
from mirror_addon.options.values import TOKEN
from mirror_addon.options.values import positive_duration
from mirror_addon.options.values import share

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_RATE = re.compile(rf"({_NUMBER})(?:\s*/\s*(s|min|m|h))?", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})


def parse_speed(text: str) -> float:
    """How many times as fast as recorded: `2`, `0.5`, `2x`; infinity for `max`."""
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
        raise ValueError("must be requests per time, as in 200/s, 6000/min or 0.5/s")
    return float(match[1]) / _SECONDS[match[2] or "s"]


def parse_loop(text: str) -> float:
    """Number of passes: `3`; infinity for `forever`."""
    if text == "forever":
        return math.inf
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not int(text):
        raise ValueError("must be a number of passes, as in 3; --loop without a number repeats until Ctrl-C")
    return int(text)


def parse_header(text: str) -> tuple[bytes, bytes]:
    """Name and value of `Name: value`, as UTF-8. Host means the authority. Framing fields are refused."""
    name, colon, value = text.partition(":")
    if not colon or not TOKEN.fullmatch(name.strip()) or re.search(r"[\0\r\n]", value):
        raise ValueError("write 'Name: value'")
    field = name.strip().encode()
    if field.lower() in _FRAMING:
        raise ValueError(f"{name.strip()} is set when the request is sent and cannot be replaced")
    return field, value.strip().encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults injected into shadows. Shares are 0 to 1."""

    delays: tuple[tuple[float, float], ...] = ()
    """Each (seconds, share of the shadows delayed by it)."""
    abort: float = 0.0
    """Share of the shadows whose connection is closed in the middle of the request."""


def parse_faults(text: str) -> Faults:
    """`delay=2s:10%,abort=5%`: 10 % are delayed by 2 s, 5 % are aborted. A delay without a share applies to all."""
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
            raise ValueError("abort is given twice")
        else:
            raise ValueError("write delay=DURATION:SHARE and abort=SHARE with commas, as in delay=2s:10%,abort=5%")
    return Faults(tuple(delays), abort or 0.0)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which exchanges are replayed: those of these files that match every filter."""

    paths: list[Path]
    filters: list[When]


def parse_selection(arguments: Sequence[str], filters: Sequence[str]) -> Selection:
    """Capture files, followed by a mitmproxy filter that may be split into several arguments, as mitmdump takes it.

    `filters` are further filters, of `--filter`. An argument that is a file is a capture.
    """
    paths, words = [], []
    for each in arguments:
        path = Path(os.path.expanduser(each))  # Path.expanduser raises for some texts, such as ~nobody
        if os.path.isfile(path):  # never raises, as Path.is_file may: for a filter that is longer than a name can be
            paths.append(path)
        elif each.startswith(("~", "!", "(")):
            words.append(each)
        else:
            raise ValueError(f"There is no file {each!r}. A filter begins with ~, ! or (, or is given with --filter")
    if not paths:
        raise ValueError("Nothing to replay: name a capture. mitmdump -w FILE writes one")
    expressions = [*filters, " ".join(words)] if words else filters
    return Selection(paths, [When(each) for each in expressions])
