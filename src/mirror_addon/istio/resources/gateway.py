"""The parts of Istio's Gateway that are read."""

from __future__ import annotations

from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import PartialMessage


class GatewayServer(PartialMessage):
    hosts: Items[str] = ()


class GatewaySpec(PartialMessage):
    """What is read of a Gateway: the hosts it lets in. This proxy listens where its options say."""

    servers: Items[GatewayServer] = ()
