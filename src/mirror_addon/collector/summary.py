"""The summary of `mirror-addon collect`, counted in bounded memory."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mirror_addon.collector.files import url_of
from mirror_addon.collector.server import Collected
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.display.text import printable

MAX_NAMES = 1000
"""Different names of each kind that are counted separately; further ones are counted as `OTHERS`."""
OTHERS = "(others)"
ROWS = 30
"""Names of each kind in the tables."""
_LONGEST = 200
"""Characters of a name."""


class Tally:
    """Counts methods, endpoints, HTTP versions, names of header fields and query parameters, and body sizes."""

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0
        self.largest = 0
        self.without_body = 0
        self.cut = 0
        self.names: dict[str, Counter[str]] = {
            kind: Counter() for kind in ("methods", "endpoints", "headers", "queries", "versions")
        }
        self.endpoint_bytes: Counter[str] = Counter()
        self._sizes = [0] * 64

    def add(self, request: Collected) -> None:
        url = url_of(request)
        method = request.method.decode("latin-1")
        self.requests += 1
        self.bytes += request.size
        self.largest = max(self.largest, request.size)
        self.without_body += not request.size
        self.cut += len(request.body) < request.size
        self._sizes[min(request.size.bit_length(), 63)] += 1
        self._count("methods", method)
        self._count("versions", request.http_version)
        endpoint = self._count("endpoints", endpoint_of(method, url.partition("?")[0]))
        self.endpoint_bytes[endpoint] += request.size
        for name in {name.decode("latin-1").lower() for name, _ in request.headers}:
            self._count("headers", name)
        for name in {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}:
            self._count("queries", name)

    def _count(self, kind: str, name: str) -> str:
        counter = self.names[kind]
        name = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
        name = name if name in counter or len(counter) < MAX_NAMES else OTHERS
        counter[name] += 1
        return name

    def size_at(self, share: float) -> int:
        """An upper bound of the quantile `share`, 0 to 1, of the body sizes.

        Sizes are counted by their number of bits, so that the bound is a power of two, less one.
        """
        reached = [sum(self._sizes[: index + 1]) for index in range(len(self._sizes))]
        index = bisect.bisect_left(reached, share * self.requests)
        return min((1 << index) - 1, self.largest)

    def document(self) -> dict[str, Any]:
        """The output of `--json`."""
        return {
            "requests": self.requests,
            **{kind: dict(counter.most_common()) for kind, counter in self.names.items()},
            "bytes": {
                "total": self.bytes,
                "without_body": self.without_body,
                "p50": self.size_at(0.5),
                "p95": self.size_at(0.95),
                "largest": self.largest,
                "cut": self.cut,
            },
        }

    def tables(self) -> Iterator[RenderableType]:
        """The output for the terminal."""
        yield Text(f"{counted(self.requests, 'request')}, bodies {size_text(self.bytes)}", style="bold")
        if not self.requests:
            return
        table = _table("endpoint", "requests", "bytes")
        for name, number in self.names["endpoints"].most_common(ROWS):
            table.add_row(Text(printable(name)), count(number), size_text(self.endpoint_bytes[name]))
        yield table
        if (more := len(self.names["endpoints"]) - ROWS) > 0:
            yield Text(f"and {counted(more, 'endpoint')} more; --json lists all", style="dim")
        for title, kind in (
            ("methods", "methods"),
            ("versions", "versions"),
            ("header names", "headers"),
            ("query names", "queries"),
        ):
            counter = self.names[kind]
            listed = ", ".join(f"{printable(name)} {count(number)}" for name, number in counter.most_common(ROWS))
            if len(counter) > ROWS:
                listed += f", and {len(counter) - ROWS} more"
            yield Text.assemble((f"{title}: ", "bold"), listed or "none")
        sizes = f"{count(self.without_body)} empty"
        if self.largest:
            half, most = size_text(self.size_at(0.5)), size_text(self.size_at(0.95))
            sizes += f", half at most {half}, 95 % at most {most}, largest {size_text(self.largest)}"
        if self.cut:
            sizes += f", {count(self.cut)} recorded in part"
        yield Text.assemble(("body sizes: ", "bold"), sizes)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def size_text(size: float) -> str:
    """A number of bytes as text: `17 B`, `1.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
