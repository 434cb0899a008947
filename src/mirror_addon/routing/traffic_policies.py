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
    """All DestinationRules of one host and namespace: the first policy wins, and the first subset of each name."""

    host: str
    policy: TrafficPolicy | None = None
    subsets: dict[str, Subset] = field(default_factory=dict)


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
        self._by_namespace: dict[str, dict[str, DestinationRule]] = {}
        for resource in resources:
            if isinstance(resource.spec, DestinationRuleSpec):
                self._add(cast(Resource[DestinationRuleSpec], resource))

    def _add(self, resource: Resource[DestinationRuleSpec]) -> None:
        spec = resource.spec
        selector = spec.workload_selector.match_labels if spec.workload_selector else {}
        if not self._identity.has_labels(selector) or not self._identity.sees(spec.export_to, resource.namespace):
            return
        host = names.qualified(spec.host, resource.namespace, self._identity.domain)
        rules = self._by_namespace.setdefault(resource.namespace, {})
        rule = rules.setdefault(host, DestinationRule(host))
        rule.policy = rule.policy or spec.traffic_policy
        for subset in spec.subsets:
            rule.subsets.setdefault(subset.name, subset)

    def find(self, host: str, namespace: str | None) -> DestinationRule | None:
        """Return the rule of a fully qualified host whose service is in `namespace` (None: not known)."""
        namespaces = (self._identity.namespace, namespace, self._identity.root_namespace)
        for candidate in dict.fromkeys(namespaces):
            rules = self._by_namespace.get(candidate or "")
            if rules and (rule := _most_specific(rules, host)):
                return rule
        return None


def _most_specific(rules: dict[str, DestinationRule], host: str) -> DestinationRule | None:
    if host in rules:
        return rules[host]
    wildcards = [name for name in rules if name.startswith("*") and host.endswith(name[1:])]
    return rules[max(wildcards, key=len)] if wildcards else None
