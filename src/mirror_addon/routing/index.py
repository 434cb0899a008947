"""First match among many entries without a scan: exact paths by dictionary, prefixes by bisection, regexes by RE2 set.

What an index finds is what an in-order scan finds; only candidates whose uri matches are tested, in document order.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Sequence
from operator import itemgetter

from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.regexes import RegexSet
from mirror_addon.routing.subject import Subject
from mirror_addon.routing.uris import Kind
from mirror_addon.routing.virtual_services import Entry

Ranked = tuple[int, Entry]
"""An entry with its place in the order."""

_FEW_ENTRIES = 4
"""Up to so many a scan is the fastest."""
_FEW_REGEXES = 4
_LONG_CHAIN = 64

_order = itemgetter(0)


def _until_unconditional(ranked: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Entries in order, cut after the first that needs no more than its uri: nothing behind it is ever reached."""
    kept = []
    for item in ranked:
        kept.append(item)
        if not item[1].conditions:
            break
    return tuple(kept)


class _Node:
    """A prefix: its entries, the regexes that begin with it, and the next shorter prefix of the table."""

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
        """All entries here and above in order, where that is cheap to keep; None: merge when asked."""
        parent = self.parent
        above = parent.chain if parent else ()
        if self.ranked_regexes or above is None or len(above) + len(self.plain) > _LONG_CHAIN:
            return None
        return _until_unconditional(sorted((*self.plain, *above), key=_order))

    def collect(self, path: bytes, into: list[Sequence[Ranked]]) -> None:
        """Append all candidates of this node and those above it, as lists in order."""
        node: _Node | None = self
        while node is not None:
            if node.chain is not None:
                if node.chain:
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


def _regex(entry: Entry) -> Regex:
    assert entry.uri.regex is not None
    return entry.uri.regex


class _Prefixes:
    """All prefixes of a table, sorted; the longest one of a path by bisection, shorter ones by parents."""

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
        """The longest prefix of `path`.

        The greatest key not above `path` either is a prefix of it or shares every prefix of it that is a key.
        """
        index = bisect_right(self._keys, path) - 1
        node = self._nodes[index] if index >= 0 else None
        while node is not None and not path.startswith(node.prefix):
            node = node.parent
        return node


class _Half:
    """Exact paths and prefixes of one case sensitivity."""

    __slots__ = ("exact", "prefixes")

    def __init__(self, ranked: Iterable[Ranked]) -> None:
        exact: dict[bytes, list[Ranked]] = {}
        plain: dict[bytes, list[Ranked]] = {}
        regexes: dict[bytes, list[Ranked]] = {}
        for item in ranked:
            uri = item[1].uri
            if uri.regex is not None:
                regexes.setdefault(uri.regex.literal_prefix, []).append(item)
            else:
                (exact if uri.kind is Kind.EXACT else plain).setdefault(uri.value, []).append(item)
        self.exact = {path: _until_unconditional(items) for path, items in exact.items()}
        self.prefixes = _Prefixes(plain, regexes)

    def collect(self, path: bytes, into: list[Sequence[Ranked]]) -> None:
        found = self.exact.get(path)
        if found:
            into.append(found)
        node = self.prefixes.longest(path)
        if node is not None:
            node.collect(path, into)


class Index:
    """The entries of one virtual host, in order."""

    __slots__ = ("_any_case", "_cased", "entries")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        ranked = list(enumerate(self.entries))
        self._cased = _Half(item for item in ranked if not item[1].uri.ignore_case)
        any_case = [item for item in ranked if item[1].uri.ignore_case]
        self._any_case = _Half(any_case) if any_case else None

    def find(self, subject: Subject) -> Entry | None:
        """The first entry that the request meets."""
        path = subject.path
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
            for condition in entry.conditions:
                if not condition.test(subject):
                    break
            else:
                return entry
        return None


class Scan:
    """The same by looking at every entry in order: for few of them, and for traces."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)

    def find(self, subject: Subject) -> Entry | None:
        """The first entry that the request meets."""
        path = subject.path
        for entry in self.entries:
            if entry.uri.matches(path):
                for condition in entry.conditions:
                    if not condition.test(subject):
                        break
                else:
                    return entry
        return None


def build_index(entries: Sequence[Entry]) -> Index | Scan:
    """Whichever is faster for so many."""
    return Scan(entries) if len(entries) <= _FEW_ENTRIES else Index(entries)
