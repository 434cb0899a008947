"""Mirrors' calls: which call of the primary each stands for, and what it is answered.

A call waits in a coroutine, so that the event loop goes on: for the primary's same call and for its response, for at
most `mirror_timeout`. What fails here blocks the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import http

from mirror_addon.compare.calls import BLOCKED
from mirror_addon.compare.calls import PASSED
from mirror_addon.compare.calls import Call
from mirror_addon.compare.twin_values import Translation
from mirror_addon.display.text import printable
from mirror_addon.flows import calls as call_flows
from mirror_addon.flows import heads
from mirror_addon.flows.grpc_streams import is_grpc
from mirror_addon.mirroring.call_comparison import CallComparison
from mirror_addon.mirroring.call_translation import TRANSLATED
from mirror_addon.mirroring.call_translation import Passing
from mirror_addon.mirroring.call_translation import Reading
from mirror_addon.mirroring.call_translation import Translated
from mirror_addon.mirroring.sandbox_advice import SandboxAdvice
from mirror_addon.options.values import SAFE_METHODS
from mirror_addon.sandbox.book import ALIKE
from mirror_addon.sandbox.book import CallBook
from mirror_addon.sandbox.book import Entry
from mirror_addon.sandbox.book import Found
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.changes import changed
from mirror_addon.sandbox.ids import ids_of
from mirror_addon.shadow_flows.call_marks import mark_call

if TYPE_CHECKING:
    from mirror_addon.mirroring.shadow_writer import ShadowWriter
    from mirror_addon.options.settings import Settings

PATIENCE_SECONDS = 0.25
"""How long a call that is like one of the primary's, and not the same, waits for one that is the same."""
GRACE_SECONDS = 0.25
"""How long a call waits after the primary's response for calls that the primary makes in the background."""
MOST_WAITING = 1000
"""Mirrors' calls that wait at a time. Further ones do not."""
NOT_KEPT = {
    "streamed": "it was streamed",
    "too_large": f"it has more than {call_flows.MAX_KEPT // 1024 // 1024} MiB",
    "unanswered": "the primary's call got none",
    "upgrade": "the connection was upgraded",
    "memory": "there was no room for it",
    "timeout": "the primary's call took too long",
}
"""Why the response to a call of the primary is not there."""

Translate = Callable[[http.HTTPFlow, CallRequest, str], Awaitable[Translated]]
"""Of a call, and the label of its mirror."""


class _MirrorCall:
    """A call that has no response yet."""

    __slots__ = ("head", "ids", "port")

    def __init__(self, port: int, head: CallRequest, ids: tuple[bytes, ...]) -> None:
        self.port = port
        self.head = head
        self.ids = ids


class MirrorCalls:
    """Answers mirrors' calls from `book`. `count(state)` counts each; `pass_on(flow)` sends one where it would go.

    `translate` turns what a mirror sends into what the primary would send; each call of a mirror with a twin is given
    to it before it is matched and compared.
    """

    def __init__(
        self,
        writer: ShadowWriter,
        book: CallBook,
        advice: SandboxAdvice,
        count: Callable[[str], None],
        pass_on: Callable[[http.HTTPFlow], Any],
        translate: Translate,
    ) -> None:
        self._writer = writer
        self._book = book
        self._advice = advice
        self._count = count
        self._pass_on = pass_on
        self._translate = translate
        self._comparison = CallComparison(writer)
        self._flows: dict[str, _MirrorCall] = {}
        self._waiting = 0

    @property
    def _settings(self) -> Settings:
        return self._writer.settings

    def begin(self, flow: http.HTTPFlow, port: int) -> None:
        """The head of a call has come in at `port`."""
        flow.request.stream = False
        head = call_flows.head_of_call(heads.read_request(flow, b""))
        self._flows[flow.id] = _MirrorCall(port, head, ids_of(flow.request.data.headers.fields))

    def forget(self, flow: http.HTTPFlow) -> None:
        """The client is gone before its call was complete."""
        self._flows.pop(flow.id, None)

    def answer(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Respond to a call whose body is there; None for a flow that is none."""
        call = self._flows.pop(flow.id, None)
        return self._answer(flow, call) if call is not None else None

    async def _answer(self, flow: http.HTTPFlow, begun: _MirrorCall) -> None:
        try:
            await self._answered_call(flow, begun)
        except Exception as error:  # a fault of this program must not let a call pass
            self._advice.fault("request", error)
            call_flows.block(flow, "a fault of mirror_addon, which its log names")

    async def _answered_call(self, flow: http.HTTPFlow, begun: _MirrorCall) -> None:
        port, ids, start = begun.port, begun.ids, asyncio.get_running_loop().time()
        asked = call_flows.call_of(flow, begun.head)
        entry = self._book.find(ids) if ids else None
        if entry is None:
            self._advice.call_without_request(asked, ids)
            self._unknown(flow, asked, None, port)
            return
        side = entry.side(port)
        side.waiting += 1
        try:
            known = Translated((Reading(asked),))
            if side.twin:
                known = await self._translate(flow, asked, side.twin)
            found = await self._match(entry, port, [each.request for each in known.readings], twin=bool(side.twin))
            if found is None:
                self._advice.nothing_of_primary()
                self._unknown(flow, asked, entry, port, passing=known.passing)
                return
            call = found.call
            if call.response is None:
                why = NOT_KEPT[call.lost or "timeout"]
                self._unknown(flow, asked, entry, port, why, passing=known.passing)
                return
            seen = await self._compared(asked, call.request, known.readings[max(found.reading, 0)])
            if self._settings.sandbox_timing:
                await asyncio.sleep(start + call.response.seconds - asyncio.get_running_loop().time())
            call_flows.answer_as(flow, call.response)
            self._made(flow, entry, port, seen)
        finally:
            side.waiting -= 1
            entry.changed()

    async def _compared(self, asked: CallRequest, primary: CallRequest, reading: Reading) -> Call:
        """The mirror's call `asked`, which was found as `reading`, beside the primary's."""
        seen = await self._comparison.compare(primary, reading.request, reading.twin)
        of_primary = self._comparison.url(primary) if primary.path != asked.path else ""
        twin = self._comparison.translations(reading.twin)
        if twin:
            self._count(TRANSLATED)
        return seen._replace(url=self._comparison.url(asked), twin=twin, primary_url=of_primary)

    async def _match(self, entry: Entry, port: int, readings: Sequence[CallRequest], *, twin: bool) -> Found | None:
        """The primary's call that a mirror's stands for, taken and over; None if there is none. Its response is missing
        if it took too long."""
        if self._waiting >= MOST_WAITING:
            found = _found(entry, port, readings, twin=twin)
            if found is not None:
                found.call.taken.add(port)
            return found
        self._waiting += 1
        try:
            return await self._matched(entry, port, readings, twin=twin)
        finally:
            self._waiting -= 1

    async def _matched(self, entry: Entry, port: int, readings: Sequence[CallRequest], *, twin: bool) -> Found | None:
        now = asyncio.get_running_loop().time
        begun = now()
        end = begun + self._settings.timeout
        while (found := _found(entry, port, readings, twin=twin)) is None or not found.exact:
            if found is None:
                until = end if entry.answered is None else min(end, entry.answered + GRACE_SECONDS)
            elif found.reading == ALIKE:
                until = end if entry.answered is None else begun
            else:
                until = begun if found.alone and entry.answered is not None else begun + PATIENCE_SECONDS
            left = until - now()
            if left <= 0 or entry.forgotten:
                break
            await changed(entry, left)
        if found is None:
            return None
        found.call.taken.add(port)
        while found.call.pending and not entry.forgotten and (left := end - now()) > 0:
            await changed(entry, left)
        return found

    def _unknown(
        self,
        flow: http.HTTPFlow,
        asked: CallRequest,
        entry: Entry | None,
        port: int,
        not_kept: str = "",
        passing: Passing | None = None,
    ) -> None:
        """A call that cannot be answered as the primary's was: it is passed or blocked."""
        how = self._settings.sandbox_unknown
        safe = asked.method in SAFE_METHODS and not is_grpc(flow.request)
        note = f"the primary's response was not kept: {not_kept}" if not_kept else ""
        url = self._comparison.url(asked)
        if how == "pass" or (how == "safe" and safe):
            twin: tuple[Translation, ...] = ()
            if passing is not None and safe:  # one that changes something must not change what is the primary's
                twin = self._comparison.translations(passing.twin)
                self._count(TRANSLATED)
                call_flows.rewrite(flow, passing.path, passing.headers, passing.body)
            self._made(flow, entry, port, Call(asked.verb, url, PASSED, note=note, twin=twin))
            self._pass_on(flow)
            return
        why = note or ("the primary did not make this call" if entry is not None else "it belongs to no request")
        call_flows.block(flow, f"{printable(asked.verb)} {printable(url)} was not sent: {why}")
        self._made(flow, entry, port, Call(asked.verb, url, BLOCKED, note=note))

    def _made(self, flow: http.HTTPFlow, entry: Entry | None, port: int, call: Call) -> None:
        """A mirror has made this call: count it, keep it for its pair, and mark its flow."""
        self._count(call.state)
        late = False
        if entry is not None:
            side = entry.side(port)
            late = side.told
            if not late:
                side.calls.append(call)
        mark_call(flow, call, self._comment(call, entry, late))

    def _comment(self, call: Call, entry: Entry | None, late: bool) -> str:
        paths = [each.path for each in call.differences if not each.noise]
        words = f"call of the mirror, {call.state}"
        if call.twin:
            words += f", {len(call.twin)} translated"
        if paths:
            words += f": {', '.join(paths[:3])}{f' +{len(paths) - 3}' if paths[3:] else ''}"
        if entry is None:
            return f"{words}; it belongs to no mirrored request"
        return f"{words}; for {entry.root[:4]}{', after its pair had ended' if late else ''}"


def _found(entry: Entry, port: int, readings: Sequence[CallRequest], *, twin: bool) -> Found | None:
    return entry.find_any(port, readings) if twin else entry.find(port, readings[0])
