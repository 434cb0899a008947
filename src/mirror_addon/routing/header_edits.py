"""Header operations of a route and its destination, in Envoy's order.

Envoy makes one pass for each level: all removes, then all sets, then all adds (`HeaderParser::evaluateHeaders`; Istio
lists sets before adds).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set
from dataclasses import dataclass

from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.routing.fields import Fields

_HOST = ("host", ":authority")

# Envoy keeps one line of each of these, its inline headers, whatever arrives or is added (measured with 1.40).
JOINED_REQUEST_FIELDS = frozenset(
    b"accept accept-encoding authorization cache-control content-encoding content-type grpc-timeout if-match "
    b"if-modified-since if-none-match if-range origin pragma referer user-agent via x-client-trace-id "
    b"x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id access-control-request-method "
    b"access-control-request-headers x-envoy-original-path".split()
)
JOINED_RESPONSE_FIELDS = frozenset(
    b"age cache-control content-encoding content-type etag expires grpc-status last-modified location vary via "
    b"x-request-id access-control-allow-origin access-control-allow-headers access-control-allow-methods "
    b"access-control-max-age access-control-expose-headers access-control-allow-credentials grpc-message".split()
)


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """One pass over header fields: all removes, then all sets, then all adds. `words` describe it for a trace."""

    dropped: frozenset[bytes]
    """Lower-case names of the fields that are left out: those removed and those set."""
    appended: Fields
    joined: Fields
    """Added to an existing line, after a comma; names in lower case."""
    words: tuple[str, ...]

    def apply(self, fields: Fields) -> Fields:
        """Return the edited fields; new ones are at the end."""
        if self.dropped:
            fields = tuple([field for field in fields if field[0].lower() not in self.dropped])
        fields += self.appended
        for name, value in self.joined:
            fields = _join(fields, name, value)
        return fields


def _join(fields: Fields, name: bytes, value: bytes) -> Fields:
    for index, (known, before) in enumerate(fields):
        if known.lower() == name:
            return (*fields[:index], (known, before + b"," + value if before else value), *fields[index + 1 :])
    return (*fields, (name, value))


def unescaped(value: str) -> bytes:
    """Return a header value as Envoy's formatter does, which turns `%%` into `%`; `%VARIABLES%` are not replaced."""
    return value.replace("%%", "%").encode()


def compile_edit(levels: Iterable[HeaderOperations | None], joined: Set[bytes]) -> HeaderEdit | None:
    """Return the operations of several levels, in this order, as one pass; None where there are none.

    `joined` are the names of which there is one line only. Of two sets of one name the later level's wins. Host is
    excluded (see `host_of`), other pseudo-header fields and empty values are ignored, as in Envoy.
    """
    removed: list[str] = []
    sets: dict[bytes, tuple[bytes, bytes]] = {}
    adds: list[tuple[bytes, bytes]] = []
    words: list[str] = []
    for level in levels:
        if level is None:
            continue
        removed += [name for name in level.remove if is_editable(name)]
        for name, value in sorted(level.set.items()):
            if is_editable(name) and value:
                sets[name.lower().encode()] = (name.encode(), unescaped(value))
        adds += [
            (name.encode(), unescaped(value))
            for name, value in sorted(level.add.items())
            if is_editable(name) and value
        ]
    if not removed and not sets and not adds:
        return None
    words += [f"remove {name}" for name in removed]
    words += [f"set {name.decode()}: {value.decode()}" for name, value in sets.values()]
    words += [f"add {name.decode()}: {value.decode()}" for name, value in adds]
    dropped = frozenset(name.lower().encode() for name in removed) | sets.keys()
    lines = tuple(field for field in adds if field[0].lower() not in joined)
    comma = tuple((name.lower(), value) for name, value in adds if name.lower() in joined)
    return HeaderEdit(dropped, (*sets.values(), *lines), comma, tuple(words))


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
