"""The first matching entry among many, without testing all of them.

Istio's rule is "the first match in document order wins". `Scan` applies it literally. `Index` returns the same entry,
but collects the candidates by their uri first: exact paths from a dictionary, prefixes by bisection of the sorted
prefixes, regular expressions below the literal prefix they begin with, several of them by one RE2 set. Each source
gives its candidates in document order with their rank; they are merged by rank, and the conditions of each are tested
until one entry is met. 10,000 rules then cost about as much as ten.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Sequence
from operator import itemgetter

from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.regexes import RegexSet
from mirror_addon.routing.uris import UriKind
from mirror_addon.routing.virtual_services import RouteEntry

Ranked = tuple[int, RouteEntry]
"""An entry with its rank, its position in document order."""

_FEW_ENTRIES = 4
"""Up to this many entries a scan is faster than an index."""
_FEW_REGEXES = 4
"""Up to this many regular expressions are tested one by one; an RE2 set has a fixed cost for each call."""
_LONG_CHAIN = 64
"""The most candidates that are sorted (or kept sorted) instead of merged lazily."""

_order = itemgetter(0)


def _until_unconditional(ranked: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the entries up to the first without conditions; no later one of the same uri is ever reached."""
    kept = []
    for item in ranked:
        kept.append(item)
        if not item[1].conditions:
            break
    return tuple(kept)


class _Node:
    """A prefix: its entries, the regular expressions that begin with it, and the next shorter prefix as parent."""

    __slots__ = ("chain", "parent", "plain", "prefix", "ranked_regexes", "regex_set")

    def __init__(self, prefix: bytes, parent: _Node | None, plain: Sequence[Ranked], regexes: Sequence[Ranked]) -> None:
        self.prefix = prefix
        self.parent = parent
        self.plain = _until_unconditional(plain)
        self.ranked_regexes = tuple(regexes)
        self.regex_set: RegexSet | None = None
        if len(regexes) > _FEW_REGEXES:
            self.regex_set = RegexSet([_regex(entry) for _, entry in regexes])
        self.chain = self._merged()

    def _merged(self) -> tuple[Ranked, ...] | None:
        """Return the entries of this node and all its parents in order; None where they are merged for each request.

        Nodes with regular expressions have no such list, because those depend on the whole path.
        """
        parent = self.parent
        above = parent.chain if parent else ()
        if self.ranked_regexes or above is None or len(above) + len(self.plain) > _LONG_CHAIN:
            return None
        return _until_unconditional(sorted((*self.plain, *above), key=_order))

    def collect(self, path: bytes, into: list[Sequence[Ranked]]) -> None:
        """Append the candidates of this node and of its parents to `into`, each list in order."""
        node: _Node | None = self
        while node is not None:
            if node.chain is not None:
                into.append(node.chain)
                return
            if node.plain:
                into.append(node.plain)
            if node.ranked_regexes:
                found = node._matching_regexes(path)
                if found:
                    into.append(found)
            node = node.parent

    def _matching_regexes(self, path: bytes) -> list[Ranked]:
        ranked = self.ranked_regexes
        if self.regex_set is not None:
            return [ranked[index] for index in self.regex_set.matches(path)]
        return [item for item in ranked if _regex(item[1]).matches(path)]


def _regex(entry: RouteEntry) -> Regex:
    assert entry.uri.regex is not None
    return entry.uri.regex


class _PrefixTree:
    """The sorted prefixes: bisection finds the longest prefix of a path, its parents are the shorter ones."""

    __slots__ = ("_keys", "_nodes")

    def __init__(self, plain: dict[bytes, list[Ranked]], regexes: dict[bytes, list[Ranked]]) -> None:
        self._keys = sorted(plain.keys() | regexes.keys())
        self._nodes: list[_Node] = []
        stack: list[_Node] = []
        for key in self._keys:
            while stack and not key.startswith(stack[-1].prefix):
                stack.pop()
            node = _Node(key, stack[-1] if stack else None, plain.get(key, ()), regexes.get(key, ()))
            stack.append(node)
            self._nodes.append(node)

    def longest(self, path: bytes) -> _Node | None:
        """Return the longest prefix of `path`.

        The greatest key that is not above `path` is either a prefix of `path`, or every key that is a prefix of `path`
        is a prefix of that key too and therefore among its parents.
        """
        index = bisect_right(self._keys, path) - 1
        node = self._nodes[index] if index >= 0 else None
        while node is not None and not path.startswith(node.prefix):
            node = node.parent
        return node


class _Half:
    """The exact paths and prefixes of the entries that respect case, or of those that do not."""

    __slots__ = ("exact", "prefixes")

    def __init__(self, ranked: Iterable[Ranked]) -> None:
        exact: dict[bytes, list[Ranked]] = {}
        plain: dict[bytes, list[Ranked]] = {}
        regexes: dict[bytes, list[Ranked]] = {}
        for item in ranked:
            uri = item[1].uri
            if uri.regex is not None:
                regexes.setdefault(uri.regex.literal_prefix, []).append(item)
            elif uri.kind is UriKind.ELEMENTS:  # the path itself, or anything below it
                exact.setdefault(uri.value, []).append(item)
                plain.setdefault(uri.value + b"/", []).append(item)
            else:
                (exact if uri.kind is UriKind.EXACT else plain).setdefault(uri.value, []).append(item)
        self.exact = {path: _until_unconditional(items) for path, items in exact.items()}
        self.prefixes = _PrefixTree(plain, regexes)

    def collect(self, path: bytes, into: list[Sequence[Ranked]]) -> None:
        found = self.exact.get(path)
        if found:
            into.append(found)
        node = self.prefixes.longest(path)
        if node is not None:
            node.collect(path, into)


class Index:
    """The entries of one virtual host, found by their uri."""

    __slots__ = ("_any_case", "_cased", "entries")

    def __init__(self, entries: Sequence[RouteEntry]) -> None:
        self.entries = tuple(entries)
        ranked = list(enumerate(self.entries))
        self._cased = _Half(item for item in ranked if not item[1].uri.ignore_case)
        any_case = [item for item in ranked if item[1].uri.ignore_case]
        self._any_case = _Half(any_case) if any_case else None

    def find(self, lookup: RequestLookup) -> RouteEntry | None:
        """Return the first entry that a request meets; None where there is none."""
        path = lookup.path
        lists: list[Sequence[Ranked]] = []
        self._cased.collect(path, lists)
        if self._any_case is not None:
            self._any_case.collect(path.lower(), lists)
        if len(lists) == 1:
            candidates: Iterable[Ranked] = lists[0]
        elif sum(map(len, lists)) <= _LONG_CHAIN:
            candidates = sorted([item for items in lists for item in items], key=_order)
        else:
            candidates = heapq.merge(*lists, key=_order)
        for _, entry in candidates:
            if not entry.conditions or entry.holds(lookup):
                return entry
        return None


class Scan:
    """The entries of one virtual host, tested one after the other."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[RouteEntry]) -> None:
        self.entries = tuple(entries)

    def find(self, lookup: RequestLookup) -> RouteEntry | None:
        """Return the first entry that a request meets; None where there is none."""
        path = lookup.path
        for entry in self.entries:
            if entry.uri.matches(path) and (not entry.conditions or entry.holds(lookup)):
                return entry
        return None


def build_index(entries: Sequence[RouteEntry]) -> Index | Scan:
    """Return a scan or an index, whichever is faster for this number of entries."""
    return Scan(entries) if len(entries) <= _FEW_ENTRIES else Index(entries)
