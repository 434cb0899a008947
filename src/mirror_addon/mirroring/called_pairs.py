"""The calls of each pair: which mirror's they are, when they are complete, and who is told.

Theory of operation. A mirrored request with an id has an entry in the book of calls (`sandbox.book`), and each of its
shadows a port at which its mirror's calls arrive. When the primary has answered and the shadow has ended, the calls of
the pair are complete, unless some are still under way, or the mirror has not made all that the primary made: then it
has `LATE_SECONDS` for them. What is missing then is `missing`. The calls are kept at the shadow, for the views, and
sent to its worker, which compares and records the pair only with them (CALLS).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from mitmproxy import http

from mirror_addon.compare.calls import MISSING
from mirror_addon.compare.calls import Call
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import Redaction
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.processes.tasks import start_task
from mirror_addon.sandbox.book import Entry
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.changes import changed

logger = logging.getLogger(__name__)

LATE_SECONDS = 0.5
"""How long a pair that has ended waits for calls that its mirror has not made yet, or that are not over."""
MOST_LISTED = 200
"""Calls of a pair that are listed."""


class Root:
    """A mirrored request: its entry, and those of its shadows that have ended while the primary has not answered."""

    __slots__ = ("controlled", "ended", "entry", "flow")

    def __init__(self, entry: Entry, flow: http.HTTPFlow) -> None:
        self.entry = entry
        self.flow = flow
        self.ended: list[tuple[Shadow, int]] = []
        self.controlled = False
        """The primary gets the request a second time (`mirror_control`), and makes its calls twice."""


class CalledPairs:
    """A ShadowObserver. `send(shadow, calls)` passes calls (JSON) to the worker of a shadow; `count(state)` counts a
    call; `redaction` returns what is left out."""

    def __init__(
        self, send: Callable[[Shadow, bytes], None], count: Callable[[str], None], redaction: Callable[[], Redaction]
    ) -> None:
        self.ports: tuple[int, ...] = ()
        self._send = send
        self._count = count
        self._redaction = redaction
        self._roots: dict[str, Root] = {}
        """By flow, for as long as their entries are remembered."""
        self._shadows: dict[int, tuple[Root, int]] = {}
        """Root and port, by the shadow's number."""
        self._said_ports = False

    def open(self, root: Root) -> None:
        """A request is mirrored whose calls are known by its id."""
        self._roots[root.flow.id] = root

    def root_of(self, flow: http.HTTPFlow) -> Root | None:
        """The root that a flow is, if its calls are remembered."""
        return self._roots.get(flow.id)

    def sweep(self) -> list[Root]:
        """Forget the roots whose entries are forgotten. Return those that mitmproxy has given up without a hook."""
        for id, root in list(self._roots.items()):
            if root.entry.forgotten and not root.ended:
                del self._roots[id]
        return [root for root in self._roots.values() if root.entry.answered is None and not root.flow.live]

    def admitted(self, flow: http.HTTPFlow, shadows: Iterable[Shadow]) -> None:
        """These shadows of `flow` will be sent."""
        root = self._roots.get(flow.id)
        if root is None or root.entry.forgotten:
            return
        index = 0
        for shadow in shadows:
            if shadow.control:
                root.controlled = True
                continue
            if index >= len(self.ports):
                self._say_ports(shadow)
                break
            port = self.ports[index]
            index += 1
            if port in root.entry.sides:
                root.entry.begin_again(port)
            side = root.entry.side(port)
            side.twin = shadow.label if shadow.subject is not None and shadow.subject.twin else ""
            self._shadows[shadow.number] = root, port
            if shadow.subject is not None:
                shadow.subject = shadow.subject._replace(calls=True)

    def _say_ports(self, shadow: Shadow) -> None:
        if not self._said_ports:
            self._said_ports = True
            logger.warning(
                "mirror: a request has more mirrors than mirror_sandbox has ports: the calls of %s are not told apart; "
                "give each mirror of a request a port of its own, in their order",
                shadow.label,
            )

    def outcome(self, shadow: Shadow) -> None:
        """A shadow has ended."""
        found = self._shadows.pop(shadow.number, None)
        if found is None:
            return
        root, port = found
        if root.entry.answered is None:
            root.ended.append((shadow, port))
        else:
            self._settle(root, shadow, port)

    def answered(self, root: Root) -> None:
        """The primary has answered the request, or will not."""
        ended, root.ended = root.ended, []
        for shadow, port in ended:
            self._settle(root, shadow, port)

    def _settle(self, root: Root, shadow: Shadow, port: int) -> None:
        if self._is_complete(root, port):
            self._tell(root, shadow, port)
        else:
            start_task(self._tell_later(root, shadow, port), "the wait for the calls of a mirror")

    def _is_complete(self, root: Root, port: int) -> bool:
        return not (root.entry.left(port) or root.entry.side(port).waiting) or root.entry.forgotten

    async def _tell_later(self, root: Root, shadow: Shadow, port: int) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LATE_SECONDS
        try:
            while not self._is_complete(root, port) and (left := until - loop.time()) > 0:
                await changed(root.entry, left)
        finally:
            self._tell(root, shadow, port)

    def _tell(self, root: Root, shadow: Shadow, port: int) -> None:
        side = root.entry.side(port)
        side.told = True
        calls = list(side.calls)
        if shadow.result is not None and shadow.result.outcome == "sent":
            redaction = self._redaction()
            for request in missing(root, port):
                self._count(MISSING)
                calls.append(Call(request.verb, redaction.url(request.url), MISSING))
        shadow.calls = tuple(calls[:MOST_LISTED])
        if shadow.subject is not None and shadow.subject.calls:
            self._send(shadow, to_json([each.as_dict() for each in shadow.calls]))


def missing(root: Root, port: int) -> Iterator[CallRequest]:
    """The primary's calls that the mirror at `port` has not made. A primary that got the request twice has made them
    twice: the second ones are not missing."""
    entry = root.entry
    made = [call for call in entry.calls if port in call.taken] if root.controlled else []
    for call in entry.left(port):
        request = call.request
        again = next((each for each in made if each.request.kind == request.kind), None)
        if again is not None:
            made.remove(again)
        else:
            yield request
