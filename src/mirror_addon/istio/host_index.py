"""Finds out whether a host overlaps with one of many hosts, without comparing it with each."""

from __future__ import annotations

import bisect
from collections.abc import Iterable


class HostIndex:
    """A set of hosts and wildcards. They overlap as in istio `pkg/config/host/name.go`, `Matches`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._suffixes: set[str] = set()
        for host in hosts:
            if host.startswith("*"):
                self._suffixes.add(host[1:])
            else:
                self._exact.add(host)
        self._lengths = sorted({len(suffix) for suffix in self._suffixes})
        self._backwards: list[str] | None = None

    def overlaps(self, host: str) -> bool:
        """Return whether one of the hosts equals `host`, is a wildcard that covers it, or is covered by it."""
        if host in self._exact:
            return True
        name = host.removeprefix("*")
        if any(name[len(name) - length :] in self._suffixes for length in self._lengths if length <= len(name)):
            return True
        return name != host and self._some_ends_with(name)

    def _some_ends_with(self, suffix: str) -> bool:
        if self._backwards is None:
            self._backwards = sorted(text[::-1] for text in self._exact | self._suffixes)
        wanted = suffix[::-1]
        index = bisect.bisect_left(self._backwards, wanted)
        return index < len(self._backwards) and self._backwards[index].startswith(wanted)
