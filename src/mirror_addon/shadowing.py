"""From a flow to its shadows: which are due, how they are handed over, what is shown of their ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mitmproxy import http

from mirror_addon.failure_log import FailureLog
from mirror_addon.mirroring import Mirroring
from mirror_addon.options import Settings
from mirror_addon.passage import Passage
from mirror_addon.routing.decision import Mirror
from mirror_addon.shadow.counters import Counters
from mirror_addon.shadow.dispatcher import Dispatcher
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.settings import ShadowSettings
from mirror_addon.shadow.upload import Upload
from mirror_addon.views.shadow_flows import ShadowFlows

logger = logging.getLogger(__name__)

KEPT_BODY = 1024 * 1024
"""Bytes of a mirror's answer that are kept for a view."""

ENGINE_OPTIONS = frozenset({"mirror_concurrency", "mirror_workers", "mirror_queue", "mirror_max_body"})
"""Options that make another dispatcher."""


class Shadowing:
    """Sends the shadows of passages. Starts its workers at once; needs the running loop."""

    def __init__(self, settings: Settings, local_address: bytes) -> None:
        self.settings = settings
        self.local_address = local_address
        self.flows = ShadowFlows()
        self.shows_flows = self.flows.wanted()
        self.dispatcher = self._dispatcher(None)
        self.mirroring = Mirroring(settings, self.dispatcher.counters, local_address, time.time())
        self._suffix = settings.host_suffix.encode()
        self._failures = FailureLog()
        self._numbers = itertools.count()
        self._closing: set[asyncio.Future[None]] = set()

    @property
    def counters(self) -> Counters:
        return self.mirroring.counters

    def apply(self, settings: Settings, updated: frozenset[str]) -> None:
        """Take changed options: in force for the next request. Shadows handed over finish as they began."""
        self.settings = settings
        self._suffix = settings.host_suffix.encode()
        self.mirroring.apply(settings)
        if ENGINE_OPTIONS & updated:
            old, self.dispatcher = self.dispatcher, self._dispatcher(self.counters)
            closing = asyncio.ensure_future(old.close(settings.drain))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self.look_for_views()

    def look_for_views(self) -> None:
        """See again whether anything shows or saves flows: a file for them may be named at any time."""
        self.shows_flows = self.flows.wanted()
        if self.dispatcher.settings.keep_body != self._kept_body():
            self.dispatcher.settings = replace(self.dispatcher.settings, keep_body=self._kept_body())

    async def close(self) -> None:
        """Let what was handed over finish within `mirror_drain`, end the workers, and log the counters."""
        await self.dispatcher.close(self.settings.drain)
        if self._closing:
            await asyncio.wait(self._closing)
        if self.counters.requests:
            logger.info("mirror: at the end\n%s", self.counters.text().rstrip())

    # A passage's shadows

    def none(self, passage: Passage, reason: str | None = None) -> None:
        """Settle a passage that gets no shadow: each mirror is counted with its own reason, else `reason`."""
        passage.settled = True
        self.mirroring.due(passage.request, passage.decision, instead=reason)

    def offer(self, flow: http.HTTPFlow, passage: Passage, body: bytes) -> None:
        """Hand over the shadows of a request that is there as a whole."""
        passage.settled = True
        for mirror in self.mirroring.due(passage.request, passage.decision):
            shadow = self._shadow(flow, passage, mirror, len(body))
            if self.shows_flows:
                self.flows.expect(shadow, flow, body)
            self.dispatcher.offer(shadow, body)

    def tee(self, flow: http.HTTPFlow, passage: Passage) -> Callable[[bytes], Any]:
        """What to put into `request.stream`: passes a body on and hands it to the shadows, which start with its first
        byte. A function that stood there before goes on to have the last word on what passes."""
        forward = flow.request.stream

        def tee(chunk: bytes) -> Any:
            if chunk:
                if passage.uploads is None:
                    passage.uploads = self._open(flow, passage)
                for upload in passage.uploads:
                    upload.write(chunk)
            return forward(chunk) if callable(forward) else chunk

        return tee

    def _open(self, flow: http.HTTPFlow, passage: Passage) -> list[Upload]:
        uploads = []
        for mirror in self.mirroring.due(passage.request, passage.decision):
            shadow = self._shadow(flow, passage, mirror, None)
            if self.shows_flows:
                self.flows.expect(shadow, flow, None)
            uploads.append(self.dispatcher.open(shadow))
        return uploads

    @staticmethod
    def end(passage: Passage) -> None:
        """The streamed body has passed."""
        passage.settled = True
        for upload in passage.uploads or ():
            upload.end()

    def abort(self, passage: Passage) -> None:
        """The client went before its request was complete."""
        if passage.uploads is None:
            self.none(passage, "aborted")
        passage.settled = True
        for upload in passage.uploads or ():
            upload.abort("aborted")

    def _shadow(self, flow: http.HTTPFlow, passage: Passage, mirror: Mirror, body: int | None) -> ShadowRequest:
        assert passage.decision.request
        return shadow_request(
            passage.decision.request,
            mirror,
            id=f"{flow.id}/{next(self._numbers)}",
            body=body,
            own_address=self.local_address,
            suffix=self._suffix,
            timeout=self.settings.timeout,
        )

    # The engine

    def _dispatcher(self, counters: Counters | None) -> Dispatcher:
        settings = self.settings
        limits = ShadowSettings(
            concurrency=settings.concurrency,
            workers=settings.workers,
            queue=settings.queue,
            max_body=settings.max_body,
            keep_body=self._kept_body(),
        )
        dispatcher = Dispatcher(limits, self._on_result, counters)
        dispatcher.start()
        return dispatcher

    def _kept_body(self) -> int:
        responses = self.settings.responses
        return KEPT_BODY if responses == "keep" or (responses == "auto" and self.shows_flows) else 0

    def _on_result(self, result: ShadowResult) -> None:
        self._failures.note(result)
        if self.shows_flows:
            self.flows.result(result)
