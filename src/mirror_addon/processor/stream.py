"""One stream of Envoy, whatever server it came to: bytes in, and whether more of them are wanted.

`Front` is the seam between this room and the network. What a server has to do is to make a `Stream` for each call of
`Process`, give it each message, end the call when that returns False, and tell when the call has ended otherwise.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from mirror_addon.processor.beginning import begin
from mirror_addon.processor.engine import Engine
from mirror_addon.processor.exchange import End
from mirror_addon.processor.exchange import Exchange
from mirror_addon.processor.exchange import Happening
from mirror_addon.processor.exchange import Kind
from mirror_addon.processor.messages import MessageError
from mirror_addon.processor.messages import read_message
from mirror_addon.processor.mirrored import MirroredExchange

logger = logging.getLogger(__name__)

IDLE = 600.0
"""Seconds without a message after which a stream is ended: its response goes on for ever, or its Envoy is gone."""


class Front(Protocol):
    """A server of `ext_proc` and of gRPC's health checks."""

    async def start(self) -> str:
        """Listen, and return the address. Raises OSError."""

    async def close(self, drain: float) -> None:
        """Tell NOT_SERVING, take no more streams, and give those that are open `drain` seconds to end."""


class Stream:
    """An exchange as it is told. Raises nothing."""

    __slots__ = ("_engine", "_exchange", "_mirrored", "newest")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._exchange = Exchange()
        self._mirrored: MirroredExchange | None = None
        self.newest = time.monotonic()
        """When the newest message came."""
        engine.counts.begun += 1

    def message(self, data: bytes) -> bool:
        """Take a message; False: no more are wanted, and the stream is to be ended."""
        counts, exchange = self._engine.counts, self._exchange
        counts.messages += 1
        counts.bytes += len(data)
        self.newest = time.monotonic()
        try:
            message = read_message(data)
        except MessageError as error:
            counts.invalid += 1
            if counts.invalid == 1:
                logger.warning("mirror: a message of Envoy cannot be read: %s; its stream was ended", error)
            self._happen(exchange.closed(lost=True))
            return False
        self._happen(exchange.receive(message))
        return exchange.end is None

    def closed(self, *, lost: bool = False) -> None:
        """The stream has ended. `lost`: it broke."""
        self._happen(self._exchange.closed(lost=lost))

    def _happen(self, happenings: tuple[Happening, ...]) -> None:
        for each in happenings:
            try:
                self._handle(each)
            except Exception as error:  # a fault of this program must not reach Envoy, nor other streams
                counts = self._engine.counts
                counts.faults += 1
                if counts.faults == 1:
                    logger.exception("mirror: an exchange was left: %s; please report this", type(error).__name__)
                self._leave()
            if self._exchange.end is End.LEFT:
                return

    def _handle(self, each: Happening) -> None:
        kind = each.kind
        if kind is Kind.REQUEST:
            assert each.head is not None
            self._mirrored = begin(self._engine, each.head)
            if self._mirrored is None:
                self._leave()
            return
        if kind is Kind.OVER:
            assert each.end is not None
            self._engine.counts.ended[each.end] += 1
        mirrored = self._mirrored
        if mirrored is None:
            return
        match kind:
            case Kind.REQUEST_BODY:
                mirrored.request_body(each.data)
            case Kind.REQUEST_END:
                mirrored.request_end(each.trailers, self.newest)
            case Kind.ANSWER if each.head is not None:
                mirrored.answer(each.head, self.newest)
            case Kind.ANSWER_BODY:
                mirrored.answer_body(each.data)
            case Kind.ANSWER_END:
                mirrored.answer_end(each.trailers, self.newest)
            case Kind.OVER if each.end is not None:
                self._mirrored = None
                mirrored.over(each.end, self.newest)
                return
        if not mirrored.wanted:
            self._leave()

    def _leave(self) -> None:
        """Nothing more is wanted."""
        if self._exchange.end is None:
            self._exchange.leave()
            self._engine.counts.ended[End.LEFT] += 1
        mirrored, self._mirrored = self._mirrored, None
        if mirrored is not None:
            mirrored.over(End.LEFT, self.newest)


Opened = Callable[[], Stream]
"""Makes the stream of a call that begins."""
