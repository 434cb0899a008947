"""The endpoint that a request belongs to: its path, with everything that looks like an id replaced by `{id}`, and for
GraphQL its operation (`graphql`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote
from urllib.parse import urlsplit

_ID = re.compile(
    r"[+-]?\d+|-?\d+\.\d{3,}(?:,-?\d+\.\d+)?"  # numbers, coordinates; 1.2 is a version
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|\{?(?:0x)?[0-9a-fA-F]{8,}\}?"
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}"  # ULIDs
    r"|\d{4}-\d\d(?:-\d\d)?(?:[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)?|\d{8}T\d{6}Z?|\d{1,2}[./-]\d{1,2}[./-]\d{4}"
    r"|[^@\s]+@[^@\s]+\.[^@\s]+"  # email addresses
)
_TOKEN = re.compile(r"[A-Za-z0-9_.~+=-]{16,}")
_MIXED = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{10,}")
"""Letters and digits without a separator: a token has such a part, a name of words and numbers has not."""
_VERSION = re.compile(r"[vV]\d+(?:[._-]?[a-z0-9]+)*")
_GRPC = re.compile(r"/[A-Za-z_]\w{0,99}(?:\.[A-Za-z_]\w{0,99}){1,20}/[A-Za-z_]\w{0,99}", re.ASCII)
"""The path of a call of gRPC, in which nothing is an id."""
_PLAIN = re.compile(r"https?://[!\"$-.0->@-Z\\^-~]*((?:/[!-\"$->@-~]*)?)(?=[?#]|\Z)")
"""URLs of printable ASCII, whose path urlsplit finds in ten times as long; a record has a million of them."""
_LONGEST = 512
"""Longer path segments are taken for ids."""


def is_grpc(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a message with these header fields is gRPC or gRPC-Web."""
    return any(
        len(name) == 12 and name.lower() == b"content-type" and value[:16].lower() == b"application/grpc"
        for name, value in headers
    )


def endpoint_of(method: str, url: str, operation: str = "") -> str:
    """Return `GET /users/{id}` for `GET http://a/users/7?x=1`: host and query are removed, the path's case is kept.
    With an operation, `POST /graphql GetUser`. A call of gRPC is `/package.Service/Method` as it is, with the method if
    one is given.

    Numbers, UUIDs, ULIDs, hexadecimal numbers of 8 or more digits, dates, email addresses and long tokens become
    `{id}`. Words, versions such as `v1`, and names with a number in them (`item-42`) stay. Any text is accepted as a
    URL. `method` may be empty.
    """
    path = f"{_path(url)} {operation}" if operation else _path(url)
    return f"{method.upper()} {path}" if method else path


def endpoint_of_pair(method: str, url: str, operation: str, *responses: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the name that records, reports, findings and pages have for the endpoint of a pair.

    `responses`: the header fields of both, or of one; gRPC is known by them, and named without its method.
    """
    return endpoint_of("" if any(map(is_grpc, responses)) else method, url, operation)


def _path(url: str) -> str:
    try:
        plain = _PLAIN.match(url)
        path = plain[1] if plain else urlsplit(url).path
    except ValueError:  # urlsplit refuses some hosts, such as "[::1"
        path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0]
    if _GRPC.fullmatch(path):
        return path
    return "/".join(map(_general, path.split("/"))) or "/"


@lru_cache(maxsize=4096)
def _general(segment: str) -> str:
    return "{id}" if is_id(unquote(segment, errors="replace")) else segment


def is_id(text: str) -> bool:
    """Whether a path segment, or a member's name, looks like an id."""
    if len(text) > _LONGEST or _ID.fullmatch(text):
        return True
    return bool(_TOKEN.fullmatch(text) and _MIXED.search(text) and not _VERSION.fullmatch(text))
