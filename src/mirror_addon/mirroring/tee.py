"""Bodies that pass in pieces: each piece goes to the primary and to the shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mitmproxy import http

from mirror_addon.dispatch.upload import Upload
from mirror_addon.flows.exchange import Exchange
from mirror_addon.host.wide_reads import widen_reads


def tee(flow: http.HTTPFlow, exchange: Exchange, begin: Callable[[], list[Upload]]) -> Callable[[bytes], Any]:
    """What to put into `request.stream`: passes a body on and hands it to the shadows that `begin` opens at its first
    byte. A function that stood there before goes on to have the last word on what passes."""
    forward = flow.request.stream

    def tee(chunk: bytes) -> Any:
        if chunk:
            if exchange.uploads is None:
                exchange.uploads = begin()
                if exchange.uploads:
                    widen_reads(flow.client_conn)
            for upload in exchange.uploads:
                upload.write(chunk)
        else:
            # The end, or an empty part: when this has returned, mitmproxy knows. The hook that follows an end is
            # another addon's where the script was saved meanwhile.
            asyncio.get_running_loop().call_soon(_look_for_end, flow, exchange)
        return forward(chunk) if callable(forward) else chunk

    return tee


def _look_for_end(flow: http.HTTPFlow, exchange: Exchange) -> None:
    if flow.request.timestamp_end is not None and exchange.uploads is not None:
        end(exchange)


def end(exchange: Exchange) -> None:
    """The streamed body has passed."""
    exchange.settled = True
    for upload in exchange.uploads or ():
        upload.end()
