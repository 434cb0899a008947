"""The path of a record, which may depend on the day, the target and the program that writes it.

Tools for many records (duckdb, Spark, Trino, BigQuery) read folders named `day=2026-12-01/mirror=reviews_v2` as two
columns, and leave out those that a query does not ask for. A path says so with placeholders, as
`records/day=%Y-%m-%d/mirror={target}/{host}.jsonl`. (A column `target` is in each line already.)
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from glob import escape
from glob import iglob

PLACEHOLDERS = "%Y %m %d %H (of the request, UTC), {target}, {host}, {pid}; %% and {{ for the characters themselves"
_PART = re.compile(r"%[YmdH%]|\{target\}|\{host\}|\{pid\}|\{\{|\}\}|[^%{}]+")
_LITERAL = {"%%": "%", "{{": "{", "}}": "}"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 100


class RecordPath:
    """A path with or without placeholders. Raises ValueError, whose message says what to write."""

    def __init__(self, text: str) -> None:
        self._parts = _PART.findall(text)
        if "".join(self._parts) != text:
            wrong = next(text[at:] for at in range(len(text)) if not _PART.match(text, at) and text[at] in "%{}")
            raise ValueError(f"{wrong[:12]!r} is no placeholder; there are {PLACEHOLDERS}")
        self.is_fixed = all(part in _LITERAL or part[0] not in "%{" for part in self._parts)
        """Whether all lines go to one file."""
        self._own = {"{host}": _safe(socket.gethostname()), "{pid}": str(os.getpid())}

    def at(self, target: str, start: float) -> str:
        """Return the file for a shadow to `target` of a request that began at `start`, in seconds since the epoch."""
        if self.is_fixed:
            return self.begin()
        moment = datetime.fromtimestamp(start, UTC)
        values = {"{target}": _safe(target), **self._own}
        return "".join(
            _LITERAL.get(part) or values.get(part) or (moment.strftime(part) if part[0] == "%" else part)
            for part in self._parts
        )

    def begin(self) -> str:
        """Return the folder above the first placeholder; the path itself where there is none."""
        known = ""
        for part in self._parts:
            if part not in _LITERAL and part[0] in "%{":
                return os.path.dirname(known) or "."
            known += _LITERAL.get(part, part)
        return known

    def files(self) -> Iterator[str]:
        """Yield the files that there are already, in no order; the path itself where there is one for all."""
        if self.is_fixed:
            yield self.begin()
            return
        pattern = "".join(
            escape(_LITERAL.get(part, part)) if part in _LITERAL or part[0] not in "%{" else "*" for part in self._parts
        )
        yield from iglob(pattern)


def _safe(name: str) -> str:
    """Return a name that can be part of a file's name: it has no slash, and is not a folder above."""
    return _UNSAFE.sub("_", name).strip(".")[:_LONGEST] or "_"
