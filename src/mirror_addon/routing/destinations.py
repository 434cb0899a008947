"""The clusters of a table, and which of them a route's Destination means.

A Destination without a port means the service's only port, else the port on which the request arrived
(`istio/pilot/pkg/networking/core/route/route.go`, `GetDestinationCluster`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from collections.abc import Sequence

from mirror_addon.gateway_api.backend_tls import BackendTLSPolicies
from mirror_addon.gateway_api.slices_alone import addresses_of_slices_alone
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.routing import names
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.service_registry import ServiceRegistry
from mirror_addon.routing.services import MeshService
from mirror_addon.routing.traffic_policies import DestinationRule
from mirror_addon.routing.traffic_policies import DestinationRules
from mirror_addon.routing.traffic_policies import Policy

Overrides = Mapping[tuple[str, str], Endpoint]
"""By fully qualified host and subset; an empty subset stands for every subset without an entry of its own.

An entry for one port of the service has `HOST:PORT` as its host, and takes precedence over one for all ports.
"""
_SHOWN = 10
"""Subsets that a message lists."""


class Clusters:
    """The clusters of a table; each is made when a route first needs it."""

    def __init__(
        self,
        resources: Sequence[Resource[Spec]],
        identity: Identity,
        overrides: Overrides,
        primary_endpoints: bool = True,
    ) -> None:
        """`primary_endpoints`: a route whose destination has no endpoint cannot be taken."""
        self.primary_endpoints = primary_endpoints
        registry = ServiceRegistry(resources, identity)
        self.services = registry.services
        self._hidden = registry.hidden
        policies = BackendTLSPolicies(resources, identity.domain).destination_rules()
        self._rules = DestinationRules([*resources, *policies], identity)
        self._alone = addresses_of_slices_alone(resources, identity.domain)
        self._identity = identity
        self._overrides = overrides
        self._clusters: dict[tuple[str, str, int], Cluster] = {}

    def target(self, destination: Destination, namespace: str) -> ResolvedDestination:
        """Return what a Destination means in a document of `namespace`."""
        host = names.qualified(destination.host, namespace, self._identity.domain)
        label = f"{destination.host}/{destination.subset}" if destination.subset else destination.host
        service = self.services.get(host)
        if destination.port is not None and destination.port.number:
            port = destination.port.number
        else:
            port = next(iter(service.ports)) if service and len(service.ports) == 1 else 0
        if service and service.alias_for and self._override(host, destination.subset, port) is None:
            host = service.alias_for  # one step only, and the port stays (`GetDestinationCluster`)
        return ResolvedDestination(self, host, destination.subset, port, label)

    def backend(self, host: str, port: int, label: str) -> ResolvedDestination:
        """Return the destination of a fully qualified host and a port of its service."""
        if (addresses := self._alone.get(host)) and self._override(host, "", port) is None:
            endpoints = tuple(Endpoint(address, number) for address, number in addresses)
            made = Cluster(host, "", port, endpoints, label=label, detects_protocol=True)
            sole = self._clusters.setdefault((host, "", port), made)
            return ResolvedDestination(self, host, "", port, label, sole)
        return ResolvedDestination(self, host, "", port, label)

    def refused(self, host: str, port: int, label: str, reason: str) -> ResolvedDestination:
        """Return a destination that no request reaches. `reason` says why, and what to do."""
        cluster = Cluster(host, "", port, (), label=label, missing=f"no endpoint for {label}: {reason}", exists=False)
        return ResolvedDestination(self, host, "", port, label, cluster)

    def origin(self, cluster: Cluster) -> list[str]:
        """Return where a cluster's service and DestinationRule are from, and why, for a trace."""
        service = self.services.get(cluster.host)
        if service is None:
            return []
        why = f": {service.chosen}" if service.chosen else ""
        rule = self._rules.find(cluster.host, service.namespace)
        found = [f"{' and '.join(dict.fromkeys(service.kinds))} of namespace {service.namespace}{why}"]
        return [*found, f"DestinationRule of namespace {rule.namespace}"] if rule else found

    def cluster(self, host: str, subset: str, port: int, label: str) -> Cluster:
        """Return the cluster of a host, subset and service port; its `missing` explains why it has no endpoints."""
        key = (host, subset, port)
        cluster = self._clusters.get(key)
        if cluster is None:
            cluster = self._clusters[key] = self._make(host, subset, port, label)
        return cluster

    def destination_rule(self, host: str, namespace: str | None) -> DestinationRule | None:
        """Return the DestinationRule of a host whose service is in `namespace`; None where there is none."""
        return self._rules.find(host, namespace)

    def _make(self, host: str, subset: str, port: int, label: str) -> Cluster:
        service = self.services.get(host)
        namespace = service.namespace if service else names.service_namespace(host, self._identity.domain)
        rule = self.destination_rule(host, namespace)
        chosen = rule.subsets.get(subset) if rule and subset else None
        policy = Policy().overlaid(rule.policy if rule else None, port)
        policy = policy.overlaid(chosen.traffic_policy if chosen else None, port)
        override = self._override(host, subset, port)
        dynamic = False
        problem = ""
        exists = override is not None or (
            service is not None and port in service.ports and (not subset or chosen is not None)
        )
        if override is not None:
            endpoints: tuple[Endpoint, ...] = (override,)
        elif service is None and not (rule and subset and chosen is None):
            endpoints, problem = (), self._hidden.get(host, f"no ServiceEntry or Service declares {host}")
        elif service is not None and service.alias_for:
            problem = f"{host} is an ExternalName Service for {service.alias_for}, and Istio follows only one"
            endpoints = ()
        elif service is not None and port not in service.ports:
            endpoints, problem = (), f"{host} has no port {port}; it has: {_ports(service)}"
        elif service is None or (subset and chosen is None):
            endpoints, problem = (
                (),
                f"no DestinationRule declares subset {subset} of {host}{_other_subsets(rule, subset)}",
            )
        else:
            labels = chosen.labels if chosen else {}
            dynamic = service.resolution == "DYNAMIC_DNS"
            endpoints, problem = _endpoints(service, labels, port, policy)
        declared = service.ports.get(port) if service else None
        protocol = declared.protocol if declared else "http"
        option = f"--set mirror_endpoints={self._own_name(host, subset, label)}=ADDRESS:PORT"
        cure = f"give it one with endpoints in a ServiceEntry for {host}, or with {option}"
        return Cluster(
            host,
            subset,
            port,
            endpoints,
            protocol="http2" if protocol == "http" and policy.upgrades_to_http2 else protocol,
            tls=policy.client_tls(service.subject_alt_names if service else ()),
            label=label,
            balancer=policy.balancer,
            hash_policy=policy.hash_policy,
            connect_timeout=policy.connect_timeout,
            resolves_request_host=dynamic and override is None,
            detects_protocol=declared is None or not declared.declared,
            missing="" if endpoints or dynamic else f"no endpoint for {label}: {problem}; {cure}",
            exists=exists,
        )

    def _override(self, host: str, subset: str, port: int) -> Endpoint | None:
        keys = ((f"{host}:{port}", subset), (f"{host}:{port}", ""), (host, subset), (host, ""))
        return next((self._overrides[key] for key in keys if key in self._overrides), None)

    def _own_name(self, host: str, subset: str, label: str) -> str:
        """Return a name that the option finds from the proxy's namespace: the short one only where it lives there."""
        short = names.qualified(label.partition("/")[0], self._identity.namespace, self._identity.domain) == host
        return label if short else f"{host}{'/' if subset else ''}{subset}"


class ResolvedDestination:
    """A Destination with its full host name.

    Where its port is known there is one cluster, `sole`; else there is one for each listener's port.
    """

    __slots__ = ("_clusters", "_ports", "host", "label", "port", "sole", "subset")

    def __init__(
        self, clusters: Clusters, host: str, subset: str, port: int, label: str, sole: Cluster | None = None
    ) -> None:
        """`sole` is the cluster where it is not one of `clusters`."""
        self.host = host
        self.subset = subset
        self.port = port
        """0: the port on which the request arrived."""
        self.label = label
        self._clusters = clusters
        self._ports: dict[int, Cluster] = {}
        self.sole = clusters.cluster(host, subset, port, label) if port and sole is None else sole

    def at(self, port: int) -> Cluster:
        """Return the cluster for a request that arrived on `port`."""
        if self.sole is not None:
            return self.sole
        cluster = self._ports.get(port)
        if cluster is None:
            cluster = self._ports[port] = self._clusters.cluster(self.host, self.subset, port, self.label)
        return cluster

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of its service; none where the service is not known."""
        service = self._clusters.services.get(self.host)
        return tuple(service.ports) if service else ()

    def any_port(self) -> Cluster:
        """Return a cluster for a listing: the only one, or the one of the service's first port."""
        return self.at(next(iter(self.ports), 0))


def _endpoints(
    service: MeshService, labels: dict[str, str], port: int, policy: Policy
) -> tuple[tuple[Endpoint, ...], str]:
    """Return the endpoints of a subset and, where there are none, the reason."""
    if service.resolution == "DYNAMIC_DNS":
        return (), ""
    if policy.balancer == "PASSTHROUGH" or (service.resolution == "NONE" and not service.instances):
        return (ORIGINAL_DESTINATION,), ""
    found = tuple(
        Endpoint(instance.address, instance.ports[port], tuple(sorted(instance.labels.items())), instance.weight)
        for instance in service.instances
        if port in instance.ports and labels.items() <= instance.labels.items()
    )
    if found:
        return found, ""
    if not service.instances:
        return (), f"{' and '.join(dict.fromkeys(service.kinds))} {service.host} gives no endpoints"
    wanted = ", ".join(f"{name}={value}" for name, value in labels.items())
    return (), f"no endpoint of {service.host} has the labels {wanted}" if wanted else f"none listens on port {port}"


def _other_subsets(rule: DestinationRule | None, subset: str) -> str:
    """Return what there is instead of a subset that is not declared, and the one that was probably meant."""
    if rule is None or not rule.subsets:
        return ""
    near = difflib.get_close_matches(subset, rule.subsets, n=1)
    shown = ", ".join(sorted(rule.subsets)[:_SHOWN]) + (", ..." if len(rule.subsets) > _SHOWN else "")
    return f"; it has: {shown}" + (f"; did you mean {near[0]}?" if near else "")


def _ports(service: MeshService) -> str:
    return ", ".join(str(port) for port in service.ports) or "none"
