"""Captures as sources of a replay: filtered, and counted by why an exchange is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.replay.arguments import Selection


class Filter(Protocol):
    """Says which exchanges are wanted: `admission.when.When`, for one."""

    def at_end(self, flow: http.HTTPFlow) -> bool:
        """Return whether a flow matches that has its response or its error."""


class Source:
    """One capture. It can be read many times; counts and warnings are those of the first pass."""

    def __init__(
        self,
        path: Path,
        filters: Sequence[Filter],
        local_address: bytes,
        warn: Callable[[str], None],
        *,
        most: int | None = None,
    ) -> None:
        """Read the first exchange. Raises CaptureError where the file is not a capture.

        `most`: of the exchanges that match, only so many are read.
        """
        self.path = path
        self.entries = 0
        """Exchanges in the file."""
        self.filtered = 0
        """Those that a filter excludes."""
        self.left_out: Counter[str] = Counter()
        """Those that cannot be sent, by reason."""
        self._filters = filters
        self._most = most
        self._local_address = local_address
        self._warn = warn
        self._passes = 0
        with_first = read_capture(path, lambda _: None)
        self.empty = next(with_first, None) is None
        with_first.close()
        self.size = path.stat().st_size

    def __call__(self) -> Iterator[Recorded]:
        """The requests that can be sent, in the order of the file. Raises CaptureError."""
        self._passes += 1
        first = self._passes == 1
        matched = 0
        for entry in read_capture(self.path, self._warn if first else lambda _: None):
            self.entries += first
            if isinstance(entry, Entry) and not self._wanted(entry.flow):
                self.filtered += first
                continue
            matched += 1
            found = recorded(entry, self._local_address)
            if isinstance(found, Recorded):
                yield found
            else:
                self.left_out[found] += first
            if matched == self._most:
                return

    def _wanted(self, flow: mitm_flow.Flow) -> bool:
        if not self._filters:
            return True
        return isinstance(flow, http.HTTPFlow) and all(each.at_end(flow) for each in self._filters)


def open_sources(selection: Selection, local_address: bytes, warn: Callable[[str], None]) -> list[Source]:
    """Raises CaptureError where a file is not a capture, or where none of them has an exchange."""
    sources = [Source(path, selection.filters, local_address, warn) for path in selection.paths]
    if all(source.empty for source in sources):
        names = ", ".join(str(path) for path in selection.paths)
        raise CaptureError(f"There is no request in {names}; record some with mitmdump -w FILE")
    return sources
