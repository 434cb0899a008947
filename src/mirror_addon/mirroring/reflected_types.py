"""Types of messages that primaries are asked for: `mirror_reflection`."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable

from mirror_addon.flows.exchange import Exchange
from mirror_addon.processes.job import ChildJobs
from mirror_addon.processes.job import JobCancelled
from mirror_addon.processes.job import JobFailed
from mirror_addon.shadow.control import asked_again
from mirror_addon.shadow.control import control_request
from mirror_addon.shadow.request import Target

LIMIT = 15.0
"""Seconds that asking may take, connecting included."""
MAX_SERVICES = 100
"""Services that are asked for. The types of all of them go to the workers in one frame."""
_OWN = (b"/grpc.reflection.", b"/grpc.health.")

logger = logging.getLogger(__name__)


class ReflectedTypes:
    """Asks for each service once, in a child process. Needs the running event loop.

    `found` gets the types of a service, a FileDescriptorSet. `known` returns those that need not be asked for.
    """

    def __init__(self, found: Callable[[bytes], None], known: Callable[[], bytes]) -> None:
        self._found = found
        self._known = known
        self._asked: set[bytes] = set()
        self._jobs = ChildJobs("mirror_addon.worker.reflection", LIMIT)
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, exchange: Exchange) -> None:
        """A call of gRPC leaves for its primary. Asks for its service unless that was done."""
        mirror = asked_again(exchange.decision, None)
        if mirror is None:
            return
        path = exchange.sent.path.partition(b"?")[0]
        service = path.rpartition(b"/")[0]
        if service in self._asked or len(self._asked) >= MAX_SERVICES or service.startswith(_OWN):
            return
        self._asked.add(service)
        request = control_request(exchange.sent, mirror, timeout=0.0)
        target = request.target._replace(http2=True, label=request.target.label.removeprefix("control:"))
        name = service.rpartition(b"/")[2].decode("latin-1")
        task = asyncio.create_task(self._ask(target, request.authority, name, path.decode("latin-1")))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, target: Target, authority: bytes, service: str, path: str) -> None:
        async with self._one:
            try:
                types = await asyncio.to_thread(self._types, (target, authority, service), path, self._known())
            except JobCancelled:
                return
            except JobFailed as error:
                logger.warning("mirror: %s does not tell the types of %s: %s", target.label, service, error)
                return
        if types:
            logger.info("mirror: %s has told the types of %s", target.label, service)
            self._found(types)

    def _types(self, question: tuple[Target, bytes, str], path: str, known: bytes) -> bytes:
        """In a thread: the types that the primary tells; none if they are known."""
        from mirror_addon.compare.messages.schema import schema_of  # imports google.protobuf, and few need it

        return b"" if schema_of(known).method(path) is not None else self._jobs.run(pickle.dumps(question))

    def close(self) -> None:
        """Ask no more, and end the child process."""
        self._jobs.close()
        for task in self._tasks:
            task.cancel()
