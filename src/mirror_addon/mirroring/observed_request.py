"""A mirrored request whose pairs are told to observers, wherever its primary goes through: mitmproxy or Envoy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.shadow.pair import Again
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.subject import Subject
from mirror_addon.shadow.subject import url_of

if TYPE_CHECKING:
    from mirror_addon.compare.redaction import Redaction
    from mirror_addon.routing.decision import Decision
    from mirror_addon.routing.decision import Request

logger = logging.getLogger(__name__)


class ObservedRequest(Primary):
    """`request` is as the client sent it. Who has the response sets `status` and `ms` before the pairs are told."""

    __slots__ = ("_decision", "_observers", "_redaction", "_request", "ms", "status")

    def __init__(
        self,
        id: str,
        subject: Subject | None,
        request: Request,
        decision: Decision,
        observers: Sequence[PairObserver],
        redaction: Redaction | None = None,
    ) -> None:
        super().__init__(id, subject)
        self._request = request
        self._decision = decision
        self._observers = observers
        self._redaction = redaction
        self.status: int | None = None
        self.ms: float | None = None
        """From the last byte of the request to the last byte of the response, in milliseconds."""

    def again(self, shadow: Shadow) -> Again | None:
        """What is needed to send the shadow once more; None where that is not wanted, or not possible."""
        return None

    def told(self, shadow: Shadow) -> None:
        """Build the pair, and pass it to the observers."""
        if not self._observers:
            return
        assert shadow.result is not None
        decision, request = self._decision, self._request
        cluster = decision.cluster
        pair = Pair(
            shadow.id,
            self.id,
            str(decision.rule or ""),
            cluster.label if cluster is not None else "",
            shadow.label,
            request.method.decode("latin-1"),
            url_of(request),
            shadow.control,
            self.status,
            self.ms,
            shadow.result,
            shadow.comparison,
            shadow.view,
            self._redaction,
            shadow.calls,
            self.again(shadow),
        )
        for observer in self._observers:
            try:
                observer.pair(pair)
            except Exception as error:  # one observer that fails must not keep the others from being told
                logger.warning("mirror: %s: %s: %s", type(observer).__name__, type(error).__name__, error)
