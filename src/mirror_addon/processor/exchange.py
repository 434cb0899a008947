"""One exchange as its stream tells it: which message means what, in whatever order they come. Pure.

Theory of operation. Envoy opens one gRPC stream for one HTTP exchange. Its two directions may interleave, each is in
order, and either may stop without a word: nothing says that a client went away, the messages just end. `Exchange` turns
messages into happenings, which can be relied on:

    REQUEST  REQUEST_BODY*  REQUEST_END?         nothing of the request after its end
    ANSWER   ANSWER_BODY*   ANSWER_END?          the same for the response, beside the request
    OVER     once, always last

whatever the stream brings, so that those who act on happenings need not look for order. The states of a direction:

            head                 end flag, trailers
    AWAITED ────▶ OPEN ──────────────────────────▶ ENDED
       └── head with the end flag ───────────────────┘

An exchange is over
    COMPLETE     when both directions have ended: the processor ends the stream then, or each stream would live as long
                 as Envoy's `deferred_close_timeout`
    LOCAL        when the first message is of the response: Envoy answered itself before the filter saw a request
    DISORDER     when a message cannot follow those before it
    CLOSED       when Envoy ended the stream: what came until then is all there is
    LOST         when the stream broke: the processor or Envoy ends, or the connection between them failed
    or when the owner calls `leave`, because nothing of this exchange is wanted.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from mirror_addon.processor.events import Body
from mirror_addon.processor.events import Head
from mirror_addon.processor.events import Message
from mirror_addon.processor.events import Trailers
from mirror_addon.routing.fields import Fields


class Part(enum.Enum):
    """How far one direction has come."""

    AWAITED = enum.auto()
    OPEN = enum.auto()
    ENDED = enum.auto()


class End(enum.StrEnum):
    """How an exchange ended; the values are those of the metric `mirror_processor_streams_ended`."""

    COMPLETE = "complete"
    CLOSED = "closed"
    LOCAL = "local_reply"
    DISORDER = "disorder"
    LOST = "lost"
    LEFT = "not_mirrored"


class Kind(enum.Enum):
    """What happened."""

    REQUEST = enum.auto()
    REQUEST_BODY = enum.auto()
    REQUEST_END = enum.auto()
    ANSWER = enum.auto()
    ANSWER_BODY = enum.auto()
    ANSWER_END = enum.auto()
    OVER = enum.auto()


class Happening(NamedTuple):
    """`head` is that of REQUEST and ANSWER, `data` the bytes of a body, `trailers` those of an end, `end` that of
    OVER."""

    kind: Kind
    head: Head | None = None
    data: bytes = b""
    trailers: Fields = ()
    end: End | None = None


_KINDS = {
    True: (Kind.REQUEST, Kind.REQUEST_BODY, Kind.REQUEST_END),
    False: (Kind.ANSWER, Kind.ANSWER_BODY, Kind.ANSWER_END),
}


class Exchange:
    """The state of one stream. Feed it with `receive`, and at the stream's end with `closed`."""

    __slots__ = ("answer", "end", "request")

    def __init__(self) -> None:
        self.request = Part.AWAITED
        self.answer = Part.AWAITED
        self.end: End | None = None
        """None while more may come."""

    def receive(self, message: Message) -> tuple[Happening, ...]:
        """Return what a message means. After OVER nothing does."""
        if self.end is not None:
            return ()
        if not message.request and self.request is Part.AWAITED:
            return (self._over(End.LOCAL if isinstance(message, Head) else End.DISORDER),)
        state = self.request if message.request else self.answer
        begun, data, ended = _KINDS[message.request]
        if isinstance(message, Head):
            if state is not Part.AWAITED:
                return (self._over(End.DISORDER),)
            happened = [Happening(begun, head=message)]
            self._set(message.request, Part.ENDED if message.end else Part.OPEN)
            if message.end:
                happened.append(Happening(ended))
        elif state is Part.ENDED and isinstance(message, Body) and not message.data:
            return ()  # the end once more
        elif state is not Part.OPEN:
            return (self._over(End.DISORDER),)
        else:
            happened = []
            if isinstance(message, Body) and message.data:
                happened.append(Happening(data, data=message.data))
            if isinstance(message, Trailers) or message.end:
                self._set(message.request, Part.ENDED)
                trailers = message.fields if isinstance(message, Trailers) else ()
                happened.append(Happening(ended, trailers=trailers))
        if self.request is Part.ENDED and self.answer is Part.ENDED:
            happened.append(self._over(End.COMPLETE))
        return tuple(happened)

    def closed(self, *, lost: bool = False) -> tuple[Happening, ...]:
        """Nothing more comes. `lost`: because the stream broke."""
        return () if self.end is not None else (self._over(End.LOST if lost else End.CLOSED),)

    def leave(self) -> None:
        """Nothing of this exchange is wanted: it is over, without a happening."""
        if self.end is None:
            self.end = End.LEFT

    def _set(self, request: bool, state: Part) -> None:
        if request:
            self.request = state
        else:
            self.answer = state

    def _over(self, end: End) -> Happening:
        self.end = end
        return Happening(Kind.OVER, end=end)
