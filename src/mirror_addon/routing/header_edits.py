"""Edits of header fields, in Envoy's order.

Envoy makes one pass for each level: all removes, then all sets, then all adds (`HeaderParser::evaluateHeaders`; Istio
lists sets before adds).
"""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.routing.fields import Fields

_HOST = ("host", ":authority")


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """One pass over header fields: all removes, then all sets, then all adds. `words` describe it for a trace."""

    dropped: frozenset[bytes]
    """Lower-case names of the fields that are left out: those removed and those set."""
    appended: Fields
    joined: Fields
    """Added to an existing line, after a comma; names in lower case."""
    words: tuple[str, ...]

    def apply(self, fields: Fields, status: int = 0) -> Fields:
        """Return the edited fields; new ones are at the end. `status` is the response's."""
        if self.dropped:
            fields = tuple([field for field in fields if field[0].lower() not in self.dropped])
        fields += self.appended
        for name, value in self.joined:
            fields = _join(fields, name, value)
        return fields


def _join(fields: Fields, name: bytes, value: bytes) -> Fields:
    """Append a value to the last line of the field."""
    for index in range(len(fields) - 1, -1, -1):
        known, before = fields[index]
        if known.lower() == name:
            return (*fields[:index], (known, before + b"," + value if before else value), *fields[index + 1 :])
    return (*fields, (name, value))


def host_of(operations: HeaderOperations | None) -> str:
    """Return the Host that `set` or `add` give, which Istio makes a rewrite of the authority; empty where none."""
    if operations is None:
        return ""
    for table in (operations.set, operations.add):
        for name, value in sorted(table.items()):
            if name.lower() in _HOST:
                return value
    return ""


def is_editable(name: str) -> bool:
    """Whether header operations apply to `name`. Host is rewritten elsewhere, pseudo-header fields not at all."""
    return bool(name) and not name.startswith(":") and name.lower() != "host"
