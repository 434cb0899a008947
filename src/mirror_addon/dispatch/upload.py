"""Shadows under way: what the proxy's side knows of one, and the handle of one whose body comes in pieces."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack

if TYPE_CHECKING:
    from mirror_addon.dispatch.settings import ShadowSettings
    from mirror_addon.dispatch.worker_link import WorkerLink
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.request import Target

PIECE = 256 * 1024
"""A longer body goes through the pipe in pieces of this size."""


class Pending:
    """A shadow between hand-over and the worker's last word on it."""

    __slots__ = ("cost", "counted", "id", "label", "link", "number", "probe", "target")

    def __init__(self, number: int, shadow: ShadowRequest, link: WorkerLink, cost: int, probe: bool) -> None:
        self.number = number
        self.id = shadow.id
        self.label = shadow.target.label
        self.target = shadow.target
        self.link = link
        self.cost = cost
        self.probe = probe
        self.counted = False
        """It has an outcome; the worker has not let go of it yet."""


@functools.lru_cache(maxsize=256)
def _packed(target: Target) -> bytes:
    return pack(target)


def request_frame(number: int, shadow: ShadowRequest, settings: ShadowSettings, length: int, more: bool) -> bytes:
    """The REQUEST of a shadow, before the `length` bytes of its body that come at once; `more` says whether more do.

    Raises TypeError, ValueError or OverflowError for what no frame can carry."""
    subject = shadow.subject
    request = pack(
        (
            shadow.method,
            shadow.authority,
            shadow.path,
            shadow.headers,
            shadow.timeout,
            settings.keep_body if subject is None else max(settings.keep_body, settings.compare_body),
            settings.drain_body,
            settings.keep_body,
        )
    )
    if subject is None:
        return encode((Kind.REQUEST, number, _packed(shadow.target), request, more), length)
    return encode((Kind.REQUEST, number, _packed(shadow.target), request, more, shadow.id, tuple(subject)), length)


def cost_of(length: int) -> int:
    """What that many bytes of a body count in the queue."""
    return length + CHUNK_OVERHEAD * (1 + length // PIECE)


def declared_length(shadow: ShadowRequest) -> int:
    """Content-Length, or 0."""
    for name, value in shadow.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def send_pieces(pending: Pending, body: bytes, *, last: bool) -> None:
    """Send bytes of a body after its REQUEST, without copying them; `last`: they are its end."""
    length = len(body)
    if length <= PIECE:
        pending.link.send(encode((Kind.CHUNK, pending.number, last), length), body)
        return
    view = memoryview(body)
    for at in range(0, length, PIECE):
        piece = view[at : at + PIECE]
        done = at + PIECE >= length
        pending.link.send(encode((Kind.CHUNK, pending.number, last and done), len(piece)), piece)
