"""The parts of Istio's Gateway that are read."""

from __future__ import annotations

from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import PartialMessage
from mirror_addon.istio.resources.messages import UInt32


class GatewayPort(PartialMessage):
    number: UInt32 = 0
    protocol: str = ""


class ServerTLSSettings(PartialMessage):
    https_redirect: bool = False
    mode: str = ""


class GatewayServer(PartialMessage):
    hosts: Items[str] = ()
    port: GatewayPort | None = None
    tls: ServerTLSSettings | None = None


class GatewaySpec(PartialMessage):
    """A Gateway: the ports and hosts that it serves. Where this proxy listens is said by mitmproxy's options."""

    servers: Items[GatewayServer] = ()
