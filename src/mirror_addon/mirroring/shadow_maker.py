"""Makes the requests of shadows and controls, by the options in force."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING
from typing import Protocol

from mirror_addon.shadow.control import SAFE
from mirror_addon.shadow.control import asked_again
from mirror_addon.shadow.control import control_request
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request

if TYPE_CHECKING:
    from mirror_addon.admission.gate import AdmissionGate
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.options.settings import Settings
    from mirror_addon.routing.decision import Decision
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.decision import Request
    from mirror_addon.routing.fields import Fields

logger = logging.getLogger(__name__)


class Routed(Protocol):
    """A request that was routed: an `Exchange` of mitmproxy's flow, or of Envoy's stream."""

    @property
    def request(self) -> Request:
        """As the client sent it."""

    @property
    def decision(self) -> Decision: ...

    @property
    def sent(self) -> Request:
        """As it goes to the primary: shadows are copies of this."""

    @property
    def grpc(self) -> bool: ...

    @property
    def trailers(self) -> Fields: ...


class ShadowMaker:
    """Makes shadows. `local_address` is this machine's, appended to X-Forwarded-For."""

    def __init__(self, settings: Settings, local_address: bytes) -> None:
        self._local_address = local_address
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take options, in force for the next shadow."""
        self._suffix = settings.host_suffix.encode()
        self._timeout = settings.timeout
        self._control_share = settings.control

    def shadow(self, exchange: Routed, mirror: Mirror, body: int | None) -> ShadowRequest:
        """Return the shadow for a mirror. `body` is the length of the request's body, None if that is streamed."""
        return shadow_request(
            exchange.sent,
            mirror,
            body=body,
            own_address=self._local_address,
            suffix=self._suffix,
            timeout=self._timeout,
            grpc=exchange.grpc,
            trailers=exchange.trailers,
        )

    def made(
        self, dispatcher: Dispatcher, exchange: Routed, shadow: Shadow, mirror: Mirror | ShadowRequest, body: int | None
    ) -> ShadowRequest | None:
        """The request of `shadow`, which `mirror` is where it is made already; None if it cannot be made: dropped."""
        if isinstance(mirror, ShadowRequest):
            return mirror
        try:
            return self.shadow(exchange, mirror, body)
        except Exception as error:  # a fault of this program, which must not keep other shadows from being sent
            logger.error("mirror: a shadow was not made: %s: %s; please report this", type(error).__name__, error)
            dispatcher.refuse(shadow, "unsendable")
            return None

    def control(self, exchange: Routed, beside: Mirror, body: int | None, gate: AdmissionGate) -> ShadowRequest | None:
        """Return the control of a request, sent beside the shadow for the mirror `beside`; None if it gets none.

        Only GET and HEAD requests without a body have one, and of these the share `mirror_control`.
        """
        decision = exchange.decision
        if body != 0 or exchange.request.method not in SAFE or random.random() >= self._control_share:
            return None
        mirror = asked_again(decision, beside.timeout)
        if mirror is None or any(is_control(decision, each) for each in decision.mirrors):
            return None
        if gate.reason_to_skip(exchange.request, mirror) is not None:
            return None
        return control_request(exchange.sent, mirror, timeout=self._timeout)
