"""Header operations of a route and its destination, in Envoy's order (semantics 1.6, measured note 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mirror_addon.istio.resources import HeaderOperations
from mirror_addon.routing.decision import Fields

_HOST = ("host", ":authority")


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """One pass over header fields: all removes, then all sets, then all adds."""

    dropped: frozenset[bytes]
    """Lower-case names that go: those removed and those set anew."""
    appended: Fields
    words: tuple[str, ...]

    def apply(self, fields: Fields) -> Fields:
        """The fields afterwards; new ones stand at the end."""
        if self.dropped:
            fields = tuple([field for field in fields if field[0].lower() not in self.dropped])
        return fields + self.appended


def unescaped(value: str) -> bytes:
    """A header value as Envoy's formatter leaves it: `%%` is `%`. Its `%VARIABLES%` stay as written."""
    return value.replace("%%", "%").encode()


def compile_edit(levels: Iterable[HeaderOperations | None]) -> HeaderEdit | None:
    """The operations of several levels merged into one pass, in the order given; None where there are none.

    The later level wins set against set. Host is no header here (see `host_of`), other pseudo headers are ignored, and
    so is an empty value, as in Envoy.
    """
    removed: list[str] = []
    sets: dict[bytes, tuple[bytes, bytes]] = {}
    adds: list[tuple[bytes, bytes]] = []
    words: list[str] = []
    for level in levels:
        if level is None:
            continue
        removed += [name for name in level.remove if _editable(name)]
        for name, value in sorted(level.set.items()):
            if _editable(name) and value:
                sets[name.lower().encode()] = (name.encode(), unescaped(value))
        adds += [
            (name.encode(), unescaped(value)) for name, value in sorted(level.add.items()) if _editable(name) and value
        ]
    if not removed and not sets and not adds:
        return None
    words += [f"remove {name}" for name in removed]
    words += [f"set {name.decode()}: {value.decode()}" for name, value in sets.values()]
    words += [f"add {name.decode()}: {value.decode()}" for name, value in adds]
    dropped = frozenset(name.lower().encode() for name in removed) | sets.keys()
    return HeaderEdit(dropped, (*sets.values(), *adds), tuple(words))


def host_of(operations: HeaderOperations | None) -> str:
    """The Host that `set` or `add` ask for, which is a rewrite of the authority; empty where none does."""
    if operations is None:
        return ""
    for table in (operations.set, operations.add):
        for name, value in sorted(table.items()):
            if name.lower() in _HOST:
                return value
    return ""


def _editable(name: str) -> bool:
    return bool(name) and not name.startswith(":") and name.lower() != "host"
