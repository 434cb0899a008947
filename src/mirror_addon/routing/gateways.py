"""The Gateways that this proxy acts as: on which ports they serve HTTP, and for which hosts.

Sources: `istio/pilot/pkg/model/gateway.go` (`mergeGateways`), `pkg/config/host/names.go` (`Intersection`),
`pkg/config/gateway/gateway.go` (`IsHTTPServer`). They matter only where `mirror_gateways` names a Gateway that is among
the documents: the default identity accepts every host on every port, and so does a Gateway that is not in the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.gateway import GatewayServer
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing import names
from mirror_addon.routing.identity import Identity

_HTTP = frozenset({"HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"})
_PASSTHROUGH = frozenset({"PASSTHROUGH", "AUTO_PASSTHROUGH"})


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a Gateway that serves HTTP, or terminates TLS for it.

    `hosts` are pairs of the namespace from which virtual services are accepted, empty for all, and the host.
    """

    gateway: str
    """`namespace/name`."""
    port: int
    hosts: tuple[tuple[str, str], ...]
    https_redirect: bool

    def claimed(self, hosts: Sequence[str], namespace: str) -> list[str]:
        """Return the hosts that this server and a virtual service of `namespace` have in common."""
        found: dict[str, None] = {}
        for owner, own in self.hosts:
            if owner in ("", namespace):
                for host in hosts:
                    if _covers(host, own):
                        found.setdefault(own)
                    elif _covers(own, host):
                        found.setdefault(host)
        return list(found)

    @property
    def redirected(self) -> list[str]:
        """The hosts of which every request over plain HTTP is redirected to https.

        Istio looks for them as they are written, so that a host for one namespace is redirected only where a virtual
        service claims it.
        """
        return [host for owner, host in self.hosts if self.https_redirect and not owner]


class Gateways:
    """The Gateways of an identity that are among the documents."""

    def __init__(self, resources: Sequence[Resource[Spec]], identity: Identity) -> None:
        own = {names.gateway(name, identity.namespace) for name in identity.gateways} - {names.MESH}
        found = [
            cast(Resource[GatewaySpec], item)
            for item in resources
            if isinstance(item.spec, GatewaySpec) and f"{item.namespace}/{item.name}" in own
        ]
        found.sort(key=lambda item: (item.creation_timestamp, item.name, item.namespace))
        self.known = frozenset(f"{item.namespace}/{item.name}" for item in found)
        self.servers: list[Server] = []
        self.other_ports: set[int] = set()
        """Ports where a Gateway passes TLS or TCP through: no HTTP rule applies there."""
        self._plain: dict[int, bool] = {}
        """Whether the plain servers of a port speak HTTP; the first of them decides."""
        self._secured: dict[int, set[tuple[str, str]]] = {}
        """The hosts of a port's servers with TLS settings."""
        for item in found:
            for server in item.spec.servers:
                self._add(f"{item.namespace}/{item.name}", item.namespace, server)
        self.ports = frozenset(server.port for server in self.servers)
        self.closed = self.ports if identity.is_gateway else frozenset[int]()
        """Ports where a request that nothing claims gets a 404."""

    def _add(self, gateway: str, namespace: str, server: GatewayServer) -> None:
        if server.port is None:
            return
        port, protocol = server.port.number, server.port.protocol.upper()
        hosts = tuple(_host(host, namespace) for host in server.hosts)
        if server.tls is not None:
            known = self._secured.setdefault(port, set())
            if not known.isdisjoint(hosts):
                return  # Istio leaves out a server with TLS settings whose host another has
            known.update(hosts)
        is_http = protocol in _HTTP
        if (is_http or server.tls is None) and self._plain.setdefault(port, is_http) != is_http:
            return
        if is_http or (protocol == "HTTPS" and not (server.tls is not None and server.tls.mode in _PASSTHROUGH)):
            redirect = server.tls is not None and server.tls.https_redirect
            self.servers.append(Server(gateway, port, hosts, redirect))
        else:
            self.other_ports.add(port)


def _host(host: str, namespace: str) -> tuple[str, str]:
    owner, slash, name = host.lower().rpartition("/")
    return ({".": namespace, "*": ""}.get(owner, owner) if slash else "", name)


def _covers(wide: str, narrow: str) -> bool:
    """Whether each name that `narrow` stands for is one of `wide` (`Name.SubsetOf`)."""
    if not wide.startswith("*"):
        return wide == narrow
    return narrow.endswith(wide[1:]) and (not narrow.startswith("*") or len(narrow) >= len(wide))
