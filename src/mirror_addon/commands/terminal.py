"""What is logged about pairs: a line for the first of each rule, for each that differs (with `-v` for every pair),
and a table at exit."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mitmproxy import ctx

from mirror_addon.compare.findings import headline
from mirror_addon.display.log import Lines
from mirror_addon.display.text import encodable
from mirror_addon.display.text import printable
from mirror_addon.statistics.formats import gap
from mirror_addon.statistics.formats import milliseconds
from mirror_addon.statistics.formats import share
from mirror_addon.statistics.formats import status
from mirror_addon.statistics.pair_statistics import PairStatistics
from mirror_addon.statistics.pair_statistics import RouteStatistics
from mirror_addon.statistics.pair_statistics import is_different

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.shadow.pair import Pair

logger = logging.getLogger(__name__)

FIRST = 20
"""Differing pairs that are logged one by one."""
PAUSE = 10.0
"""Seconds between two lines after the first ones."""
SHOWN_URL = 100
SHOWN_PATHS = 3
SHOWN_ROWS = 30
SHOWN_FINDINGS = 10
WIDTH = 120
"""Columns of a terminal that does not report its size."""
NARROWEST = 40
"""Columns of the table at least."""
WIDE = 110
"""Columns from which on the table has p50 and p99 too."""

MOST_FIRST = 100
"""Rules and mirrors whose first shadow is logged."""

HINT = (
    "; of the others, only the status codes. To compare all, open the live page, http://mirror-addon.test/ through the"
    " proxy, or set mirror_record=FILE."
)


def line(pair: Pair, *, compared: bool = False) -> str:
    """Return `GET http://host/x -> serviceB/v2: 200 vs 500, different: status, $.price, +41 ms`.

    `compared`: it says so if the responses were not compared.
    """
    result = pair.result
    url = pair.shown_url
    url = url if len(url) <= SHOWN_URL else f"{url[:SHOWN_URL]}…"
    parts = [f"{status(pair.primary_status)} vs {status(result.status)}"]
    if result.outcome != "sent":
        parts = [f"{result.outcome}: {result.reason}" + (f" ({result.detail})" if result.detail else "")]
    elif pair.comparison is not None and pair.comparison.verdict is not None:
        parts.append(verdict(pair.comparison))
    elif compared:
        parts.append("not compared")
    if result.outcome == "sent" and pair.primary_ms is not None:
        parts.append(gap(pair.primary_ms, result.response_ms).replace("−", "-"))
    return printable(f"{pair.method} {url} -> {pair.target}: {', '.join(parts)}")


def verdict(comparison: Comparison) -> str:
    """Return the verdict, with the first paths that differ."""
    if comparison.verdict != "different":
        return str(comparison.verdict)
    paths = list(dict.fromkeys(each.path for each in comparison.differences if not each.noise))
    more = len(paths) - SHOWN_PATHS + comparison.more
    return f"different: {', '.join(paths[:SHOWN_PATHS])}" + (f" and {more} more" if more > 0 else "")


class Terminal:
    """A PairObserver that writes to mitmproxy's log.

    The first shadow of each rule to each of its mirrors is logged in any case: it shows that mirroring works.
    Differing pairs are logged up to twenty times, then at most once in ten seconds: with a mirror that always differs,
    the log would show nothing else. `verbose`, set by mitmproxy's `-v`: every pair is logged.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.verbose = False
        self._met: set[tuple[str, str]] = set()
        """Rules and mirrors whose first shadow was logged."""
        self._clock = clock
        self._logged = 0
        self._left_out = 0
        """Differing pairs since the last line."""
        self._last = 0.0
        """When that was."""

    def configure(self, updated: Collection[str]) -> None:
        """Read mitmproxy's options. `-v` sets its log level to debug."""
        if "termlog_verbosity" in updated:
            self.verbose = ctx.options.termlog_verbosity == "debug"

    def pair(self, pair: Pair) -> None:
        """Log a pair, if it is to be logged."""
        if (pair.rule, pair.target) not in self._met and not pair.control and len(self._met) < MOST_FIRST:
            self._met.add((pair.rule, pair.target))
            self._log(logging.INFO, f"first shadow of {pair.rule}: {line(pair, compared=True)}")
        elif self.verbose:
            self._log(logging.DEBUG, line(pair))
        elif not pair.control and is_different(pair):
            self._log_difference(pair)

    def _log_difference(self, pair: Pair) -> None:
        now = self._clock()
        if self._logged >= FIRST and now - self._last < PAUSE:
            self._left_out += 1
            return
        others = f" ({self._left_out} more since the last line)" if self._left_out else ""
        self._logged += 1
        self._left_out = 0
        self._last = now
        self._log(logging.INFO, line(pair) + others)
        if self._logged == FIRST:
            self._log(logging.INFO, f"from now on at most one line every {PAUSE:.0f} s; -v shows every shadow")

    @staticmethod
    def summary(statistics: PairStatistics) -> None:
        """Log the table at exit, as wide as the terminal."""
        width = shutil.get_terminal_size((WIDTH, 24)).columns
        if text := summary(statistics, width=width, encoding=encoding_of_log()):
            logger.info("mirror: by rule and mirror\n%s", Lines(text))

    @staticmethod
    def _log(level: int, text: str) -> None:
        logger.log(level, "mirror: %s", text)


def compared_line(statistics: PairStatistics) -> str:
    """Return `compared 600 of 4,812`: in how many pairs the whole responses were compared, of those with both."""
    return f"compared {statistics.compared:,} of {statistics.sent:,}"


def encoding_of_log() -> str | None:
    """Return the encoding of mitmproxy's log, which is written to stdout."""
    return getattr(sys.stdout, "encoding", None)


def different_cell(row: RouteStatistics) -> str:
    """Return `12 (4 %)`; the number alone where only some of the pairs were compared, because a share says nothing
    then."""
    if not row.different or row.compared < row.sent:
        return str(row.different)
    return f"{row.different} ({share(row.different, row.sent)})"


def _finding_lines(statistics: PairStatistics) -> Iterator[str]:
    """Return `3 findings in 70 differing pairs:` and the first of them."""
    found = statistics.findings()
    if found:
        yield f"{headline(found, statistics.different)}:"
    for each in found[:SHOWN_FINDINGS]:
        places = each.places if len(each.endpoints) == 1 else f"at {each.places}"
        yield printable(f"  {each.id} {each.cause.title}: {each.pairs:,}, {places}")
    if len(found) > SHOWN_FINDINGS:
        yield f"  and {len(found) - SHOWN_FINDINGS} more"


def summary(statistics: PairStatistics, *, width: int | None = None, encoding: str | None = "utf-8") -> str:
    """Return the table at exit, with a row for each rule and target; empty if there are no pairs."""
    rows = statistics.rows()
    if not rows:
        return ""
    from rich import box  # needed once, at exit
    from rich.table import Table

    from mirror_addon.display.console import SafeConsole

    plain = (encoding or "utf-8").lower().replace("-", "") != "utf8"
    table = Table(box=box.ASCII2 if plain else box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "primary -> mirror"):
        table.add_column(heading, overflow="fold")
    sampled = statistics.compared < statistics.sent
    counts = ("mirrored", *(("compared",) if sampled else ()), "different", "no response")
    times = ("p50", "p95", "p99") if (width or WIDTH) >= WIDE else ("p95",)
    for heading in (*counts, *times):
        table.add_column(heading, justify="right", overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        primary, shadow = row.primary.shown(), row.shadow.shown()
        missing = [f"{number} {word}" for word, number in (row.failed + row.dropped).most_common()]
        table.add_row(
            row.rule + (" (control)" if row.control else ""),
            f"{row.route or 'passes through'} -> {row.target}",
            str(row.sent),
            *((str(row.compared),) if sampled else ()),
            different_cell(row),
            "\n".join(missing) or "0",
            *(f"{milliseconds(primary[name])}\n{milliseconds(shadow[name])}" for name in times),
        )
    out = io.StringIO()
    console = SafeConsole(
        file=out, width=max(width or WIDTH, NARROWEST), color_system=None, emoji=False, markup=False, highlight=False
    )
    console.print(table)
    lines = [each.rstrip() for each in out.getvalue().splitlines() if each.strip()]
    if len(rows) > SHOWN_ROWS:
        lines.append(f"and {len(rows) - SHOWN_ROWS} more rows")
    lines.append("Times: the primary's above, the shadow's below.")
    lines += _finding_lines(statistics)
    lines.append(compared_line(statistics) + (HINT if statistics.compared < statistics.sent else "."))
    return encodable("\n".join(lines), encoding)
