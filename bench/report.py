"""What the benchmarks print: numbers with their quartiles, and what they were measured on."""

from __future__ import annotations

import datetime
import os
import platform
import random
import statistics
from collections.abc import Iterable
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.programs import MITMDUMP
from bench.programs import Program

RESAMPLES = 2000


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, and the quartiles where there are any: `0.97 (0.93-1.01)`."""
    median = f"{statistics.median(values):.{digits}f}"
    if len(values) < 2:
        return median
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median} ({low:.{digits}f}-{high:.{digits}f})"


def interval(values: Sequence[float], draws: random.Random, digits: int = 2) -> str:
    """Where the true median lies with 95 %, by the percentile bootstrap: `0.95-0.99`."""
    medians = sorted(statistics.median(draws.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return f"{medians[RESAMPLES // 40]:.{digits}f}-{medians[-RESAMPLES // 40]:.{digits}f}"


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def heading(columns: Sequence[str], texts: int = 1) -> str:
    """The two lines that begin a table whose first so many columns are not numbers."""
    return f"{line(columns)}\n|{'---|' * texts}{'---:|' * (len(columns) - texts)}"


def machine(programs: Iterable[Program] = ()) -> str:
    """Processor, cores, date and versions, in one sentence."""
    others = "".join(f", {program.name} {program.version}" for program in programs if program is not MITMDUMP)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, {today}; "
        f"mitmproxy {version('mitmproxy')}, httpx {version('httpx')}, Python {platform.python_version()}{others}."
    )


def _processor() -> str:
    """The model's name: where Linux tells it, else whatever Python knows."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    models = [entry.partition(":")[2].strip() for entry in text.splitlines() if entry.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"
