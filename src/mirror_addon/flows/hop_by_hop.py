"""Hop-by-hop fields of a primary (RFC 9110 7.6.1), which Envoy does not pass on: `mirror_strip_hop_by_hop`."""

from __future__ import annotations

from mirror_addon.routing.fields import Fields

_FIELDS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"})


def without_hop_by_hop(fields: Fields) -> Fields:
    """Return the fields without those of one connection and those that Connection names.

    `TE: trailers` stays, as in Envoy. `Connection: close` stays too, because mitmproxy reads there when to close the
    client's connection. Framing is left to mitmproxy.
    """
    found = [field for field in fields if field[0].lower() in _FIELDS]
    if not found:
        return fields
    options = {
        option.strip().lower() for name, value in found if name.lower() == b"connection" for option in value.split(b",")
    }
    dropped = _FIELDS | (options - {b"transfer-encoding", b"content-length", b"host"})
    kept = tuple(field for field in fields if field[0].lower() not in dropped)
    if any(name.lower() == b"te" and b"trailers" in value.lower() for name, value in found):
        kept = (*kept, (b"TE", b"trailers"))
    return (*kept, (b"Connection", b"close")) if b"close" in options else kept
