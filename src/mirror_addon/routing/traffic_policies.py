"""DestinationRules: which one applies to a host, and the traffic policy of a subset and port.

Sources: `istio/pilot/pkg/model/destination_rule.go` and `push_context.go` (which rule),
`istio/pilot/pkg/networking/util/util.go`, `MergeTrafficPolicy` (which policy).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import cast

from mirror_addon.gateway_api.backend_tls import PolicyTLSSettings
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.destination_rule import ClientTLSSettings
from mirror_addon.istio.resources.destination_rule import ConnectionPoolSettings
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import LoadBalancerSettings
from mirror_addon.istio.resources.destination_rule import Subset
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing import names
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import HashPolicy
from mirror_addon.routing.identity import Identity


@dataclass(slots=True, eq=False)
class DestinationRule:
    """DestinationRules of one host, namespace, exportTo and selector: the first policy wins, and the first subset of
    each name."""

    host: str
    namespace: str
    export_to: frozenset[str] = frozenset()
    selector: tuple[tuple[str, str], ...] | None = None
    """The labels of its `workloadSelector`, sorted; None where it has none."""
    policy: TrafficPolicy | None = None
    subsets: dict[str, Subset] = field(default_factory=dict)

    def add(self, spec: DestinationRuleSpec) -> None:
        self.policy = self.policy or spec.traffic_policy
        for subset in spec.subsets:
            self.subsets.setdefault(subset.name, subset)


@dataclass(frozen=True, slots=True)
class Policy:
    """The traffic policy of one cluster. Each block is from the most specific place that has it."""

    tls: ClientTLSSettings | None = None
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None

    def overlaid(self, policy: TrafficPolicy | None, port: int) -> Policy:
        """Return this policy with another's blocks over it.

        Settings for the port replace all of it: a block that they leave out has its default.
        """
        if policy is None:
            return self
        for settings in policy.port_level_settings:
            if settings.port is not None and settings.port.number == port:
                return Policy(settings.tls, settings.load_balancer, settings.connection_pool)
        return Policy(
            policy.tls or self.tls,
            policy.load_balancer or self.load_balancer,
            policy.connection_pool or self.connection_pool,
        )

    def client_tls(self, subject_alt_names: Iterable[str]) -> TLS | None:
        """Return the TLS settings; None for plain text, also for ISTIO_MUTUAL: there is no mesh identity here."""
        tls = self.tls
        if tls is None or tls.mode in ("DISABLE", "ISTIO_MUTUAL"):
            return None
        mutual = tls.mode == "MUTUAL"
        return TLS(
            sni=tls.sni,
            ca_certificates=tls.ca_certificates,
            client_certificate=tls.client_certificate if mutual else "",
            private_key=tls.private_key if mutual else "",
            subject_alt_names=tls.subject_alt_names or tuple(subject_alt_names),
            insecure_skip_verify=bool(tls.insecure_skip_verify),
            ca_pem=tls.ca_pem if isinstance(tls, PolicyTLSSettings) else "",
        )

    @property
    def balancer(self) -> str:
        """Istio's name of the load balancer; LEAST_REQUEST where none is given."""
        simple = self.load_balancer.simple if self.load_balancer else None
        return "LEAST_REQUEST" if simple in (None, "UNSPECIFIED", "LEAST_CONN") else simple

    @property
    def hash_policy(self) -> HashPolicy | None:
        consistent = self.load_balancer.consistent_hash if self.load_balancer else None
        if consistent is None:
            return None
        if consistent.http_header_name:
            return HashPolicy("header", consistent.http_header_name)
        if consistent.http_cookie is not None:
            cookie = consistent.http_cookie
            attributes = tuple((attribute.name, attribute.value) for attribute in cookie.attributes)
            return HashPolicy("cookie", cookie.name, cookie.ttl, cookie.path, attributes)
        if consistent.http_query_parameter_name:
            return HashPolicy("query", consistent.http_query_parameter_name)
        return HashPolicy("source") if consistent.use_source_ip else None

    @property
    def connect_timeout(self) -> float | None:
        tcp = self.connection_pool.tcp if self.connection_pool else None
        return tcp.connect_timeout if tcp else None

    @property
    def upgrades_to_http2(self) -> bool:
        http = self.connection_pool.http if self.connection_pool else None
        return http is not None and http.h2_upgrade_policy == "UPGRADE"


class DestinationRules:
    """All DestinationRules: those of the client's namespace come first, then the service's, then the root's."""

    def __init__(self, resources: Sequence[Resource[Spec]], identity: Identity) -> None:
        self._identity = identity
        self._local: dict[str, _Rules] = {}
        self._exported: dict[str, _Rules] = {}
        rules = [cast(Resource[DestinationRuleSpec], r) for r in resources if isinstance(r.spec, DestinationRuleSpec)]
        rules.sort(key=lambda item: (item.spec.workload_selector is None, item.creation_timestamp, item.name))
        for resource in rules:
            self._add(resource)

    def _add(self, resource: Resource[DestinationRuleSpec]) -> None:
        spec, namespace = resource.spec, resource.namespace
        export_to = frozenset(spec.export_to) if self._identity.gateways else frozenset[str]()
        if spec.workload_selector is not None:
            export_to = frozenset({"."})
        private = len(export_to) == 1 and not export_to.isdisjoint({".", namespace})
        # The root's exported rules are for clients everywhere, not for its own in particular.
        if (
            private
            if namespace == self._identity.root_namespace
            else not export_to or export_to & {"*", ".", namespace}
        ):
            self._local.setdefault(namespace, _Rules()).add(resource, export_to, self._identity.domain)
        if not private:
            self._exported.setdefault(namespace, _Rules()).add(resource, export_to, self._identity.domain)

    def find(self, host: str, namespace: str | None) -> DestinationRule | None:
        """Return the rule of a fully qualified host whose service is in `namespace` (None: not known).

        Source: `PushContext.destinationRule`. A namespace whose most specific rule is not for this proxy has none for
        it, except that the client's own namespace ends the search.
        """
        client = self._identity.namespace
        if client in self._local and (found := self._local[client].most_specific(host)):
            return self._own(found)
        for candidate in (namespace, self._identity.root_namespace):
            rules = self._exported.get(candidate or "")
            visible = [
                rule
                for rule in (rules.most_specific(host) if rules else ())
                if not rule.export_to or not rule.export_to.isdisjoint({"*", client})
            ]
            if visible:
                return self._own(visible)
        return None

    def _own(self, rules: list[DestinationRule]) -> DestinationRule | None:
        """Return the first rule that selects this workload by its labels, else the last for all workloads."""
        for rule in rules:
            if rule.selector is not None and self._identity.has_labels(dict(rule.selector)):
                return rule
        unselective = [rule for rule in rules if rule.selector is None]
        return unselective[-1] if unselective else None


class _Rules:
    """The DestinationRules of a namespace by host, merged as in `mergeDestinationRule`."""

    def __init__(self) -> None:
        self._by_host: dict[str, list[DestinationRule]] = {}

    def add(self, resource: Resource[DestinationRuleSpec], export_to: frozenset[str], domain: str) -> None:
        spec = resource.spec
        selector = tuple(sorted(spec.workload_selector.match_labels.items())) if spec.workload_selector else None
        host = names.qualified(spec.host, resource.namespace, domain)
        rules = self._by_host.setdefault(host, [])
        separate = True
        for rule in rules:
            separate = rule.export_to != export_to
            if separate and not (rule.export_to and rule.export_to <= export_to):
                continue
            if rule.selector is not None and selector not in (None, rule.selector):
                separate = True
                continue
            if rule.selector == selector:
                separate = False
            rule.add(spec)
        if separate:
            rule = DestinationRule(host, resource.namespace, export_to, selector)
            rule.add(spec)
            rules.append(rule)

    def most_specific(self, host: str) -> list[DestinationRule]:
        """Return the rules of the host itself, else those of the longest wildcard that covers it."""
        if host in self._by_host:
            return self._by_host[host]
        wildcards = [name for name in self._by_host if name.startswith("*") and host.endswith(name[1:])]
        return self._by_host[max(wildcards, key=len)] if wildcards else []
