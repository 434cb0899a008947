"""X-Forwarded-For and X-Forwarded-Proto of a routed request.

On an edge (`use_remote_address`) Envoy's connection manager appends the client's address before routing, so rules on
the header see it.
"""

from __future__ import annotations

import functools
import ipaddress

from mirror_addon.routing.fields import Fields

_NAME = b"x-forwarded-for"
_LENGTH = len(_NAME)
_PROTO = b"x-forwarded-proto"
_PROTO_LENGTH = len(_PROTO)


def with_client(fields: Fields, client: bytes) -> Fields:
    """Return the fields with `client` appended after a comma without a space; an empty `client` is not appended.

    Several lines become one, where the first of them stood.
    """
    # Comparing the lengths first saves a call for nearly every field; this runs for each request.
    lines = [field for field in fields if len(field[0]) == _LENGTH and field[0].lower() == _NAME]
    if not lines:
        return (*fields, (_NAME, client)) if client else fields
    if len(lines) == 1 and not client:
        return fields
    value = b",".join([part for part in (*(value for _, value in lines), client) if part])
    joined = (lines[0][0], value)
    position = fields.index(lines[0])
    if len(lines) == 1:
        return (*fields[:position], joined, *fields[position + 1 :])
    rest = tuple([field for field in fields[position + 1 :] if field[0].lower() != _NAME])
    return (*fields[:position], joined, *rest)


def forwarded_scheme(fields: Fields, scheme: bytes) -> bytes:
    """Return the scheme of a request to a proxy that is no edge: the one of X-Forwarded-Proto, where there is one.

    Rules on the scheme see it, and redirects keep it. `scheme` is that of the client's connection.
    """
    for name, value in fields:
        if len(name) == _PROTO_LENGTH and name.lower() == _PROTO:
            return value.lower() if value.lower() in (b"http", b"https") else scheme
    return scheme


@functools.lru_cache(maxsize=1024)
def forwarded_address(peer: str, local_address: bytes) -> bytes:
    """Return the address for X-Forwarded-For of a client at the IP address `peer`: its own, or `local_address` for a
    loopback client, as Envoy does."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:  # the path of a Unix socket: Envoy appends nothing
        return b""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return local_address if address.is_loopback else str(address).encode()
