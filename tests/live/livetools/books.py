"""The counters that mirror_addon logs at its end, and whether they add up."""

from __future__ import annotations

import re

_LINE = re.compile(r"^([a-z_]+(?:\.[a-z_]+)?) (\d+)$", re.MULTILINE)
_END = re.compile(r"mirror: at the end\n((?:[^ \n]+ \d+\n)+)")


def books(output: str) -> list[dict[str, int]]:
    """The totals of every engine that ended: one, and one more for each reload of the script."""
    return [{name: int(number) for name, number in _LINE.findall(found[1])} for found in _END.finditer(output)]


def assert_balanced(output: str) -> None:
    """At the end nothing is pending, every shadow that was offered has one outcome, every reason is in its total."""
    for totals in books(output):
        assert totals["pending"] == 0, totals
        assert totals["offered"] == totals["sent"] + totals["failed"] + totals["dropped"], totals
        for total in ("failed", "dropped", "skipped"):
            parts = [number for name, number in totals.items() if name.startswith(f"{total}.")]
            assert sum(parts) == totals[total], totals
