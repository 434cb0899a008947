"""Streamed request bodies: each chunk goes to the primary and to the shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from mitmproxy import http

from mirror_addon.dispatch.upload import BodySink
from mirror_addon.flows.exchange import Exchange
from mirror_addon.host.wide_reads import widen_reads

WATCH_SECONDS = 5.0
Begin = Callable[[], Sequence[BodySink]]


def tee(flow: http.HTTPFlow, exchange: Exchange, begin: Begin) -> Callable[[bytes], Any]:
    """Return a function for `request.stream` that passes chunks on and writes them to the shadows, which `begin` opens
    at the first byte.

    If `request.stream` was a function already, that of another addon, primary and shadows get what it returns.
    """
    forward = flow.request.stream

    def tee(chunk: bytes) -> Any:
        sent = forward(chunk) if callable(forward) else chunk
        if not isinstance(sent, bytes):
            sent = tuple(sent)  # an iterable, which may be read once
        for piece in (sent,) if isinstance(sent, bytes) else sent:
            if piece:
                _write(flow, exchange, begin, piece)
        if not chunk:
            # The end of the body, or an empty chunk; mitmproxy marks the end only after this call. The `request` hook
            # comes after an end too, but goes to another addon if the script was reloaded meanwhile.
            asyncio.get_running_loop().call_soon(_look_for_end, flow, exchange)
        return sent

    return tee


def _write(flow: http.HTTPFlow, exchange: Exchange, begin: Begin, piece: bytes) -> None:
    if exchange.uploads is None:
        exchange.uploads = begin()
        if exchange.uploads:
            widen_reads(flow.client_conn)
            _watch(flow, exchange.uploads)
    for upload in exchange.uploads:
        upload.write(piece)


def _look_for_end(flow: http.HTTPFlow, exchange: Exchange) -> None:
    if flow.request.timestamp_end is not None and exchange.uploads is not None:
        end(flow, exchange)


def _watch(flow: http.HTTPFlow, uploads: Sequence[BodySink]) -> None:
    """Give the shadows up whose client went away without a hook: mitmproxy has none where the primary's response was
    complete before the request. A mirror that refuses such a request too has had the time to say so."""
    if any(upload.alive for upload in uploads):
        if flow.live:
            asyncio.get_running_loop().call_later(WATCH_SECONDS, _watch, flow, uploads)
        else:
            for upload in uploads:
                upload.abort()


def end(flow: http.HTTPFlow, exchange: Exchange, begin: Begin | None = None) -> None:
    """End the uploads of an exchange whose body is complete. One without a byte has none yet: `begin` opens them."""
    if exchange.uploads is None and begin is not None and not exchange.settled:
        exchange.uploads = begin()
    exchange.settled = True
    trailers = flow.request.trailers
    for upload in exchange.uploads or ():
        upload.end(trailers.fields if trailers else ())
