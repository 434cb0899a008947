"""Finds out whether a host overlaps with one of many hosts, without comparing it with each."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from collections.abc import Iterator


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
        self._backwards: list[tuple[str, str]] | None = None

    def overlaps(self, host: str) -> bool:
        """Return whether one of the hosts equals `host`, is a wildcard that covers it, or is covered by it."""
        return next(self.overlapping(host), None) is not None

    def overlapping(self, host: str) -> Iterator[str]:
        """Yield the hosts that overlap with `host`, each once; those that cover it first."""
        if host in self._exact:
            yield host
        name = host.removeprefix("*")
        for length in self._lengths:
            if length <= len(name) and (suffix := name[len(name) - length :]) in self._suffixes:
                yield f"*{suffix}"
        if name != host:
            yield from self._ending_with(name)

    def _ending_with(self, suffix: str) -> Iterator[str]:
        """Yield the hosts below `*suffix`, without that wildcard itself."""
        if self._backwards is None:
            exact = [(text[::-1], text) for text in self._exact]
            self._backwards = sorted(exact + [(text[::-1], f"*{text}") for text in self._suffixes])
        wanted = suffix[::-1]
        for index in range(bisect.bisect_left(self._backwards, (wanted,)), len(self._backwards)):
            backwards, host = self._backwards[index]
            if not backwards.startswith(wanted):
                return
            if host != f"*{suffix}":
                yield host
