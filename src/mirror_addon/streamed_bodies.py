"""Bodies that pass in pieces: each piece goes to the primary and to the shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mitmproxy import http

from mirror_addon.passage import Passage
from mirror_addon.shadow.upload import Upload
from mirror_addon.wide_reads import widen_reads


def tee(flow: http.HTTPFlow, passage: Passage, begin: Callable[[], list[Upload]]) -> Callable[[bytes], Any]:
    """What to put into `request.stream`: passes a body on and hands it to the shadows that `begin` opens at its first
    byte. A function that stood there before goes on to have the last word on what passes."""
    forward = flow.request.stream

    def tee(chunk: bytes) -> Any:
        if chunk:
            if passage.uploads is None:
                passage.uploads = begin()
                if passage.uploads:
                    widen_reads(flow.client_conn)
            for upload in passage.uploads:
                upload.write(chunk)
        else:
            # The end, or an empty part: when this has returned, mitmproxy knows. The hook that follows an end is
            # another addon's where the script was saved meanwhile.
            asyncio.get_running_loop().call_soon(_look_for_end, flow, passage)
        return forward(chunk) if callable(forward) else chunk

    return tee


def _look_for_end(flow: http.HTTPFlow, passage: Passage) -> None:
    if flow.request.timestamp_end is not None and passage.uploads is not None:
        end(passage)


def end(passage: Passage) -> None:
    """The streamed body has passed."""
    passage.settled = True
    for upload in passage.uploads or ():
        upload.end()
