"""Select the recorded pairs that become tests."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import KeptRequest
from mirror_addon.compare.report.lines import KeptSide
from mirror_addon.compare.report.tally import endpoint_of_line

MAX_ENDPOINTS = 200
MAX_BODY = 256 * 1024
"""The most bytes of a body in a test. Nobody would read a longer one."""

VERDICTS = ("different", "noise", "same", "failed")
"""In order of preference."""

NOT_SENT = frozenset(
    (
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
        "upgrade", "expect",
    )
)  # fmt: skip
"""Request fields of the connection, and those that the HTTP client of the tests sets itself."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A client's request and the primary's response. Header strings are Latin-1; secrets are REDACTED."""

    id: str
    time: str
    start: float
    endpoint: str
    method: str
    target: str
    """The request target on the wire (RFC 9112 3.2): path and query."""
    headers: Headers
    body: bytes
    verdict: str
    differing: tuple[str, ...]
    status: int
    response_headers: Headers
    response_body: bytes | None
    """Without its content coding. None if it was not kept."""

    @property
    def request(self) -> tuple[str, str, bytes]:
        return self.method, self.target, self.body


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty filters admit everything. `endpoints`: glob patterns for endpoints such as `GET /users/{id}`."""

    endpoints: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    limit: int = 3

    def admit(self, endpoint: str, line: KeptLine) -> bool:
        return (
            (not self.endpoints or any(fnmatchcase(endpoint, each) for each in self.endpoints))
            and (not self.methods or line.method.upper() in self.methods)
            and (not self.verdicts or line.verdict in self.verdicts)
        )


class Selection:
    """The best `limit` pairs of each endpoint. `left_out` counts pairs that cannot be used, by reason."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self.left_out: Counter[str] = Counter()
        self.cases: dict[str, list[Case]] = {}

    def add(self, line: KeptLine) -> None:
        endpoint = endpoint_of_line(line)
        if line.control or not self.filters.admit(endpoint, line):
            return
        kept = self.cases.get(endpoint, [])
        if len(kept) >= self.filters.limit and _rank(line.verdict or "") >= _rank(kept[-1].verdict):
            return
        case = _case(endpoint, line)
        if isinstance(case, str):
            self.left_out[case] += 1
            return
        if endpoint not in self.cases and len(self.cases) >= MAX_ENDPOINTS:
            self.left_out[f"of more than {MAX_ENDPOINTS} endpoints"] += 1
            return
        if any(each.request == case.request for each in kept):
            return
        kept.append(case)
        kept.sort(key=lambda each: _rank(each.verdict))
        self.cases[endpoint] = kept[: self.filters.limit]


def _rank(verdict: str) -> int:
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)


def _case(endpoint: str, line: KeptLine) -> Case | str:
    """The case, or why the line cannot be one, as the end of a sentence that begins with `1 pair`."""
    request, response = line.request, line.primary
    if request is None:
        return "without bodies (mirror_record_bodies was off)"
    if response.status is None:
        return "without a response from the primary"
    if request.cut or response.cut or (request.body is None and _announces_body(request)):
        return "with a body of which only a part was recorded"
    try:
        body, response_body = _bytes(request), _bytes(response)
        for text in (*sum(request.headers, ()), *sum(response.headers, ())):
            text.encode("latin-1")
        line.method.encode("ascii")
    except ValueError:
        return "with an invalid body or header"
    if max(len(body or b""), len(response_body or b"")) > MAX_BODY:
        return f"with a body of more than {MAX_BODY} bytes"
    headers, response_body = _decoded(response.headers, response_body)
    return Case(
        id=line.id,
        time=line.time,
        start=line.start,
        endpoint=endpoint,
        method=line.method,
        target=target_of(line.url),
        headers=tuple(each for each in request.headers if each[0].lower() not in NOT_SENT),
        body=body or b"",
        verdict=line.verdict or "",
        differing=tuple(dict.fromkeys(each.path for each in line.differences if not each.noise))[:5],
        status=response.status,
        response_headers=tuple(each for each in headers if each[1] != REDACTED.decode()),
        response_body=response_body,
    )


def target_of(url: str) -> str:
    """`/users/7?x=1` of `http://a/users/7?x=1`."""
    rest = url.partition("://")[2] or url
    start = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    target = rest[start:]
    return target if target.startswith("/") else f"/{target}"


def _announces_body(request: KeptRequest) -> bool:
    return any(
        name.lower() in ("content-length", "transfer-encoding") and value != "0" for name, value in request.headers
    )


def _bytes(side: KeptRequest | KeptSide) -> bytes | None:
    """The recorded body. Raises ValueError if it is not in its encoding."""
    if side.body is None:
        return None
    if side.encoding == "base64":
        return base64.b64decode(side.body, validate=True)
    return side.body.encode()


def _decoded(headers: Headers, body: bytes | None) -> tuple[Headers, bytes | None]:
    """Header and body without the content coding, as the suite compares them; unchanged if it cannot be undone."""
    codings = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    if body is None or not codings:
        return headers, body
    try:
        plain, whole = undo(body, codings)
    except CodingError:
        return headers, body
    if not whole:
        return headers, body
    return tuple(each for each in headers if each[0].lower() != "content-encoding"), plain
