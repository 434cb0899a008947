"""The parts of Istio's Gateway that are read."""

from __future__ import annotations

from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import PartialMessage


class GatewayServer(PartialMessage):
    hosts: Items[str] = ()


class GatewaySpec(PartialMessage):
    """A Gateway: the hosts that it accepts. The addresses on which this proxy listens are mitmproxy's options."""

    servers: Items[GatewayServer] = ()
