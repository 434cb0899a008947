"""The lookups that a rule's conditions make in a request: header lines and query parameters."""

from __future__ import annotations

from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import JOINED_REQUEST_FIELDS

_PSEUDO = {
    b":method": "method",
    b":scheme": "scheme",
    b":authority": "authority",
    b"host": "authority",
    b":path": "path",
}


class RequestLookup:
    """Looks up header lines and query parameters of a request; the tables are made when first needed."""

    __slots__ = ("_fields", "_params", "path", "request")

    def __init__(self, request: Request, path: bytes) -> None:
        """`request` is normalised, with its X-Forwarded-For; `path` is its path without the query."""
        self.request = request
        self.path = path
        self._fields: dict[bytes, list[bytes]] | None = None
        self._params: dict[bytes, bytes] | None = None

    def lines(self, name: bytes) -> list[bytes]:
        """Return the lines of the header `name` (lower case, or a pseudo-header field); none where it is absent."""
        pseudo = _PSEUDO.get(name)
        if pseudo is not None:
            return [getattr(self.request, pseudo)]
        fields = self._fields
        if fields is None:
            fields = self._fields = {}
            for field, value in self.request.headers:
                fields.setdefault(field.lower(), []).append(value)
        lines = fields.get(name, [])
        if len(lines) > 1 and name in JOINED_REQUEST_FIELDS:
            # Envoy adds no comma to an empty line, so leading empty lines disappear.
            begins = next((index for index, line in enumerate(lines) if line), -1)
            return [b",".join(lines[begins:])]
        return lines

    def param(self, name: bytes) -> bytes | None:
        """Return the first value of the query parameter `name`, not decoded; None where it is absent."""
        params = self._params
        if params is None:
            params = self._params = {}
            query = self.request.path.partition(b"?")[2].partition(b"#")[0]
            for pair in query.split(b"&") if query else ():
                key, _, value = pair.partition(b"=")
                params.setdefault(key, value)
        return params.get(name)

    def cookie(self, name: bytes) -> bytes | None:
        """Return the value of the first cookie `name`, without the quotes around it; None where there is none."""
        for line in self.lines(b"cookie"):
            for pair in line.split(b";"):
                key, equals, value = pair.strip().partition(b"=")
                if equals and key == name:
                    return value.strip(b'"')
        return None
