"""The parts of a Gateway of the Gateway API that are read for virtual services which name it in `gateways`."""

from __future__ import annotations

from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import PartialMessage


class GatewayListener(PartialMessage):
    """A listener. Without `hostname` it accepts every host."""

    hostname: str = ""


class KubernetesGatewaySpec(PartialMessage):
    listeners: Items[GatewayListener] = ()
