"""Shadows that scripts may change: the hook `mirror_shadow` is called for each mirror before there is a shadow.

A script may take its time, so this runs in a task: neither the primary nor its client waits for it. Until the hook has
returned, the request counts in `mirror_queue`, and nothing is counted for its mirrors. Then each of them is counted
either as skipped (`script`: it was left out, `script_error`: the script failed) or as any other shadow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.dispatch.upload import BodySink
from mirror_addon.dispatch.upload import cost_of
from mirror_addon.shadow_flows.script_flow import left_out
from mirror_addon.shadow_flows.script_flow import script_flow
from mirror_addon.shadow_flows.script_flow import shadow_of

if TYPE_CHECKING:
    from mirror_addon.dispatch.counters import Counters
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.host.shadow_hook import ShadowHook
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.fields import Fields
    from mirror_addon.shadow.request import ShadowRequest

logger = logging.getLogger(__name__)


class Edited(NamedTuple):
    """A shadow as scripts left it."""

    mirror: Mirror
    request: ShadowRequest
    body: bytes


class ScriptedShadows:
    """Calls the hook, and keeps the tasks that wait for it."""

    def __init__(self, hook: ShadowHook, counters: Counters) -> None:
        self.wanted = hook.having
        """Returns the addons that have the hook: where there are none, nothing is to be done here."""
        self._hook = hook
        self._counters = counters
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged: set[str] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, which awaits `edit`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def edit(
        self,
        primary: http.HTTPFlow,
        shadows: Sequence[tuple[Mirror, ShadowRequest]],
        body: bytes | None,
        rule: str,
        timeout: float,
    ) -> list[Edited]:
        """Call the hook for each of the shadows of `primary`, and return those that are to be sent; the others are
        counted. `timeout`, in seconds, is for each call. `body` is None if it is streamed."""
        edited = []
        for mirror, request in shadows:
            label = mirror.cluster.label
            flow = script_flow(request, primary, body, rule)
            try:
                async with asyncio.timeout(timeout):
                    await self._hook.call(flow)
                if left_out(flow):
                    self._counters.skip(label, "script")
                else:
                    edited.append(Edited(mirror, *shadow_of(flow, request, body)))
            except Exception as error:  # of any kind: it is a script's
                self._counters.skip(label, "script_error")
                self._log(error)
        return edited

    def _log(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        if text not in self._logged and len(self._logged) < 100:
            self._logged.add(text)
            logger.error(
                "mirror: mirror_shadow of a script failed: %s; its shadow is skipped.script_error", text, exc_info=error
            )

    async def close(self, drain: float) -> None:
        """Wait for scripts for `drain` seconds; what is left is cancelled."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=drain)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


class LateUpload:
    """A body that streams through the proxy while scripts decide about its shadows: kept, then passed on.

    What is kept counts in `mirror_queue`. `problem` is a reason of the counters, once the body can no longer be sent.
    """

    def __init__(self, dispatcher: Dispatcher, max_body: int) -> None:
        self._dispatcher = dispatcher
        self._left = max_body
        self._pieces: list[bytes] = []
        self._cost = 0
        self._ended = False
        self._trailers: Fields = ()
        self._sinks: Sequence[BodySink] | None = None
        self.problem = ""

    @property
    def alive(self) -> bool:
        """Whether there is a shadow, or may be one, that waits for more."""
        if self._sinks is None:
            return not (self._ended or self.problem)
        return any(sink.alive for sink in self._sinks)

    def write(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if self._sinks is not None:
            for sink in self._sinks:
                sink.write(chunk)
        elif not self.problem:
            cost = cost_of(len(chunk))
            self._left -= len(chunk)
            if self._left < 0:
                self.abort("body_too_large")
            elif not self._dispatcher.reserve(cost):
                self.abort("queue_full")
            else:
                self._cost += cost
                self._pieces.append(chunk)

    def end(self, trailers: Fields = ()) -> None:
        """The body is complete."""
        self._ended = True
        self._trailers = trailers
        for sink in self._sinks or ():
            sink.end(trailers)

    def abort(self, reason: str = "aborted") -> None:
        """The body will not be complete."""
        if self._sinks is None:
            self.problem = self.problem or reason
            self._release()
        for sink in self._sinks or ():
            sink.abort(reason)

    def pass_to(self, sinks: Sequence[BodySink]) -> None:
        """Scripts have decided: pass on what was kept, and what comes from now on."""
        pieces = self._pieces
        self._release()
        self._sinks = sinks
        for piece in pieces:
            self.write(piece)
        if self._ended:
            self.end(self._trailers)

    def _release(self) -> None:
        self._dispatcher.release(self._cost)
        self._cost, self._pieces = 0, []
