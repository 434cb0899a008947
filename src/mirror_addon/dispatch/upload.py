"""The body of a shadow on its way into the pipe: as a whole, in pieces, or as it streams through the proxy."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from typing import Protocol

from mirror_addon.dispatch.in_flight import State
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack

if TYPE_CHECKING:
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.dispatch.settings import ShadowSettings
    from mirror_addon.dispatch.worker_link import WorkerLink
    from mirror_addon.routing.fields import Fields
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.request import Target

PIECE_BYTES = 256 * 1024
"""A longer body goes through the pipe in pieces of this size."""


class UploadOwner(Protocol):
    """The dispatcher of an upload."""

    def feed(self, shadow: Shadow, chunk: bytes, length: int) -> bool: ...

    def give_up(self, shadow: Shadow, reason: str) -> None: ...


class BodySink(Protocol):
    """What a body that comes in pieces is given to."""

    @property
    def alive(self) -> bool: ...

    def write(self, chunk: bytes) -> None: ...

    def end(self, trailers: Fields = ()) -> None: ...

    def abort(self, reason: str = "aborted") -> None: ...


class Upload:
    """A shadow whose body comes in pieces. After its end, and after it was given up, calls do nothing."""

    __slots__ = ("_length", "_owner", "_shadow")

    def __init__(self, owner: UploadOwner, shadow: Shadow) -> None:
        self._owner = owner
        self._shadow: Shadow | None = shadow
        self._length = 0

    @property
    def alive(self) -> bool:
        """False once it is ended or given up: no need to pass on more."""
        return self._shadow is not None and self._shadow.state is State.ADMITTED

    def write(self, chunk: bytes) -> None:
        """Pass on a piece of the body. If it does not fit, the shadow is dropped; the client is never slowed down."""
        if self._shadow is not None and chunk:
            self._length += len(chunk)
            if not self._owner.feed(self._shadow, chunk, self._length):
                self._shadow = None

    def end(self, trailers: Fields = ()) -> None:
        """The body is complete. Its `trailers` are sent to a mirror that speaks HTTP/2."""
        shadow, self._shadow = self._shadow, None
        if shadow is not None and shadow.state is State.ADMITTED:
            send_end(shadow, trailers)

    def abort(self, reason: str = "aborted") -> None:
        """The body will not be complete; counted as `dropped.<reason>`."""
        shadow, self._shadow = self._shadow, None
        if shadow is not None:
            self._owner.give_up(shadow, reason)


def _link_of(shadow: Shadow) -> WorkerLink:
    assert shadow.link is not None
    return shadow.link


@functools.lru_cache(maxsize=256)
def _packed(target: Target) -> bytes:
    return pack(target)


def request_frame(shadow: Shadow, request: ShadowRequest, settings: ShadowSettings, length: int, more: bool) -> bytes:
    """The REQUEST frame of a shadow, without the `length` bytes of its body that follow at once; `more`: CHUNK frames
    with the rest of the body come after it.

    Raises TypeError, ValueError or OverflowError for what no frame can carry.
    """
    subject = shadow.subject
    head = pack(
        (
            request.method,
            request.authority,
            request.path,
            request.headers,
            request.timeout,
            settings.keep_body if subject is None else max(settings.keep_body, settings.compare_body),
            settings.drain_body,
            settings.keep_body,
        )
    )
    if subject is None:
        return encode((Kind.REQUEST, shadow.number, _packed(request.target), head, more), length)
    party = shadow.id, tuple(subject)
    return encode((Kind.REQUEST, shadow.number, _packed(request.target), head, more, *party), length)


def cost_of(length: int) -> int:
    """What that many bytes of a body count in the queue."""
    return length + CHUNK_OVERHEAD * (1 + length // PIECE_BYTES)


def declared_length(request: ShadowRequest) -> int:
    """Content-Length, or 0."""
    for name, value in request.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def send_end(shadow: Shadow, trailers: Fields) -> None:
    """Send the end of a body that came in pieces."""
    end = (Kind.CHUNK, shadow.number, True)
    _link_of(shadow).send(encode((*end, trailers) if trailers else end))


def send_pieces(shadow: Shadow, body: bytes, *, last: bool) -> None:
    """Send bytes of a body after its REQUEST, without copying them; `last`: they are its end."""
    link, length = _link_of(shadow), len(body)
    if length <= PIECE_BYTES:
        link.send(encode((Kind.CHUNK, shadow.number, last), length), body)
        return
    view = memoryview(body)
    for at in range(0, length, PIECE_BYTES):
        piece = view[at : at + PIECE_BYTES]
        done = at + PIECE_BYTES >= length
        link.send(encode((Kind.CHUNK, shadow.number, last and done), len(piece)), piece)
