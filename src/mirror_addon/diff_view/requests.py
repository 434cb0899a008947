"""The differences between a shadow's request and its primary's, as both were sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mitmproxy import http


class RequestDifference(NamedTuple):
    """What differs, with both values; None where there is none. The values of a repeated field are lines."""

    what: str
    primary: str | None
    shadow: str | None


def readable(value: bytes) -> str:
    """Decode bytes of a request's head, with escapes for those that are not UTF-8."""
    return value.decode("utf-8", "backslashreplace")


def request_differences(primary: http.Request, shadow: http.Request) -> Iterator[RequestDifference]:
    """Yield the differences in method, path, header fields, version, body and destination. Field order is ignored."""
    yield from _differs("method", primary.data.method, shadow.data.method)
    yield from _differs("path", primary.data.path, shadow.data.path)
    yield from _differs("Host", _host(primary), _host(shadow))
    ours, theirs = _fields(primary), _fields(shadow)
    for name in ours | theirs:
        yield from _differs(f"header {name}", ours.get(name), theirs.get(name))
    yield from _differs("version", primary.data.http_version, shadow.data.http_version)
    bodies = primary.raw_content, shadow.raw_content
    if bodies[0] is not None and bodies[1] is not None and bodies[0] != bodies[1]:
        yield RequestDifference("body", f"{len(bodies[0])} bytes", f"{len(bodies[1])} bytes")
    yield from _differs("sent to", *(f"{each.scheme}://{each.host}:{each.port}".encode() for each in (primary, shadow)))


def _differs(what: str, primary: bytes | None, shadow: bytes | None) -> Iterator[RequestDifference]:
    if primary != shadow:
        sides = (None if each is None else readable(each) for each in (primary, shadow))
        yield RequestDifference(what, *sides)


def _host(request: http.Request) -> bytes:
    if request.data.authority:
        return request.data.authority
    return b"\n".join(value for name, value in request.headers.fields if name.lower() == b"host")


def _fields(request: http.Request) -> dict[str, bytes]:
    """Return values by lower-case name, in order of first appearance, without Host."""
    fields: dict[str, bytes] = {}
    for name, value in request.headers.fields:
        lower = readable(name.lower())
        if lower != "host":
            fields[lower] = fields[lower] + b"\n" + value if lower in fields else value
    return fields
