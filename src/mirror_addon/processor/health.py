"""gRPC's health checks (grpc/doc/health-checking.md)."""

from __future__ import annotations

from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.http2_calls import Call
from mirror_addon.processor.messages import PROCESS
from mirror_addon.processor.messages import MessageError
from mirror_addon.processor.messages import health_response
from mirror_addon.processor.messages import health_service

SERVICE = b"/grpc.health.v1.Health"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
_SERVICES = frozenset({"", PROCESS[0]})
"""What can be asked for: the server as a whole, and its service."""


class Health:
    """The status of a server, and who watches it."""

    def __init__(self) -> None:
        self.status = SERVING
        self._watching: set[Watch] = set()

    def stop_serving(self) -> None:
        self.status = NOT_SERVING
        for watch in list(self._watching):
            watch.tell()

    def check(self, call: Call) -> Check:
        return Check(call, self)

    def watch(self, call: Call) -> Watch:
        return Watch(call, self, self._watching)


class Check:
    """A call of `Check`: one question, one answer."""

    def __init__(self, call: Call, health: Health) -> None:
        self._call = call
        self._health = health
        self._asked: str | None = None

    def message(self, data: bytes) -> bool:
        self._asked = _service(data)
        return True

    def closed(self, *, lost: bool = False) -> None:
        if lost:
            return
        if self._asked is None:
            self._call.end(Status.INTERNAL, "no question")
        elif self._asked not in _SERVICES:
            self._call.end(Status.NOT_FOUND, "no such service")
        else:
            self._call.write(health_response(self._health.status))


class Watch:
    """A call of `Watch`: the status, and each change of it."""

    def __init__(self, call: Call, health: Health, watching: set[Watch]) -> None:
        self._call = call
        self._health = health
        self._watching = watching
        self._told = 0
        call.stays = True

    def message(self, data: bytes) -> bool:
        if not self._told:
            if _service(data) in _SERVICES:
                self._watching.add(self)
                self.tell()
            else:  # the call stays open, as the protocol has it
                self._told = SERVICE_UNKNOWN
                self._call.write(health_response(SERVICE_UNKNOWN))
        return True

    def tell(self) -> None:
        """Tell the status, if it is news. After NOT_SERVING there is no other."""
        if self._told != self._health.status:
            self._told = self._health.status
            self._call.stays = self._told == SERVING
            self._call.write(health_response(self._told))

    def closed(self, *, lost: bool = False) -> None:
        if lost:
            self._watching.discard(self)


def _service(data: bytes) -> str:
    try:
        return health_service(data)
    except MessageError:
        return "?"
