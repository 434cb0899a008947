"""A call that a service makes to another one, as a value, and what the primary was answered."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.sandbox.fingerprints import canonical
from mirror_addon.sandbox.fingerprints import shape_of

OVERHEAD_BYTES = 1024
"""What a remembered call occupies besides its bytes."""
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}

Fields = tuple[tuple[bytes, bytes], ...]


class CallRequest(NamedTuple):
    """The request of a call. `path` is without the query. `body`: None where it was streamed and not kept."""

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    query: bytes = b""
    content_type: bytes = b""
    content_encoding: bytes = b""
    body: bytes | None = b""

    @classmethod
    def make(cls, method: bytes, scheme: bytes, authority: bytes, target: bytes) -> CallRequest:
        """The head of a call; `target` is path and query."""
        path, _, query = target.partition(b"?")
        authority = authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, b":80"))
        return cls(method, scheme, authority, path, query)

    @property
    def kind(self) -> tuple[bytes, bytes, bytes]:
        """Calls of one kind may stand for each other: method, authority and path."""
        return self.method, self.authority, self.path

    @property
    def endpoint(self) -> str:
        """The path with `{id}` for each id in it."""
        return endpoint_of("", self.path.decode("latin-1"))

    @property
    def url(self) -> str:
        """The absolute URL, with every byte that is no ASCII percent-encoded."""
        query = b"?" + self.query if self.query else b""
        url = b"%s://%s%s%s" % (self.scheme, self.authority, self.path, query)
        return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in url)

    @property
    def verb(self) -> str:
        """The method as text."""
        return self.method.decode("latin-1")


class KeptResponse(NamedTuple):
    """What the primary was answered. `seconds`: how long that took, from the request to the end of the response."""

    status: int
    reason: bytes
    headers: Fields
    body: bytes
    trailers: Fields = ()
    seconds: float = 0.0


class PrimaryCall:
    """A call of the primary. `started`: in seconds of the clock of whoever notes it."""

    __slots__ = ("_canonical", "_shape", "lost", "request", "response", "size", "started", "taken")

    def __init__(self, request: CallRequest, started: float) -> None:
        self.request = request
        self.started = started
        self.response: KeptResponse | None = None
        self.lost = ""
        """Why its response is not kept; empty while it is, or is awaited."""
        self.taken: set[int] = set()
        """The ports whose mirror has made this call too."""
        self.size = OVERHEAD_BYTES
        self._canonical: bytes | None = None
        self._shape: Hashable = None

    @property
    def pending(self) -> bool:
        """Whether its response is awaited."""
        return self.response is None and not self.lost

    def end(self, request: CallRequest, response: KeptResponse | None, lost: str = "") -> None:
        """The call is over. `request` has its body now; without a response `lost` says why."""
        self.request = request
        self.response, self.lost = response, lost
        self._canonical = self._shape = None
        self.size = OVERHEAD_BYTES + len(request.body or b"") + len(request.path) + len(request.query)
        if response is not None:
            self.size += len(response.body) + sum(len(name) + len(value) for name, value in response.headers)

    @property
    def canonical(self) -> bytes | None:
        """See `fingerprints.canonical`; None without a body."""
        if self._canonical is None and self.request.body is not None:
            self._canonical = canonical(self.request.body, self.request.content_type, self.request.content_encoding)
        return self._canonical

    @property
    def shape(self) -> Hashable:
        """See `fingerprints.shape_of`."""
        if self._shape is None:
            request = self.request
            self._shape = shape_of(request.body, request.content_type, request.content_encoding)
        return self._shape
