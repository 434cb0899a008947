"""The actions of rules as those of Envoy routes: RouteAction, RedirectAction, DirectResponseAction."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from mirror_addon.envoy.clusters import UsedClusters
from mirror_addon.envoy.header_mutations import header_mutations
from mirror_addon.envoy.header_mutations import response_mutations
from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.retries import retry_policy
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import fraction
from mirror_addon.envoy.values import safe_regex
from mirror_addon.gateway_api.translation import PathRedirect
from mirror_addon.istio.resources.virtual_service import HTTPRedirect
from mirror_addon.istio.resources.virtual_service import HTTPRewrite
from mirror_addon.istio.resources.virtual_service import RegexRewrite
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import HashPolicy
from mirror_addon.routing.mirrors import MirrorPolicy
from mirror_addon.routing.redirects import DirectResponse
from mirror_addon.routing.redirects import Redirect
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.virtual_services import RouteEntry

NOT_FOUND: Message = {"direct_response": {"status": 404}}
SUFFIX = "-shadow"
"""The only suffix that Envoy has; `disable_shadow_host_suffix_append` leaves it out."""

_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Actions:
    """Translates actions and collects the clusters that they use."""

    def __init__(self, clusters: UsedClusters, notes: Notes, *, mirroring: bool, host_suffix: str) -> None:
        """`mirroring`: whether mirrors are exported. `host_suffix` is appended to a shadow's Host."""
        self.clusters = clusters
        self._notes = notes
        self._mirroring = mirroring
        self._suffix = host_suffix
        if mirroring and host_suffix not in ("", SUFFIX):
            notes.add(f"mirror_host_suffix={host_suffix}: Envoy supports only {SUFFIX}, which is exported")

    def action(self, entry: RouteEntry, port: int) -> Message:
        """Return the action of an entry for requests to `port`; 0: ports without routes of their own."""
        route = entry.route
        if route.local is not None:
            return self._local(route, port)
        if not route.destinations:
            self._notes.add(f"{entry}: no destination has a weight above zero; exported as 503")
            return {"direct_response": {"status": 503}}
        levels = [route.http.headers]
        if len(route.http.route) == 1:
            levels.append(route.http.route[0].headers)
        return {"route": self._forward(entry, port), **header_mutations(levels, self._notes)}

    def mirrors(self, policies: Iterable[MirrorPolicy], port: int) -> list[Message]:
        """Return the `request_mirror_policies` of a route. A mirror that can receive no shadow is left out."""
        return [found for policy in policies if self._mirroring and (found := self._mirror(policy, port))]

    def _local(self, route: CompiledRoute, port: int) -> Message:
        mutations = response_mutations(route.http.headers.response if route.http.headers else None, self._notes)
        if isinstance(route.local, Redirect) and route.http.redirect is not None:
            return {"redirect": self._redirect(route.local, route.http.redirect, port), **mutations}
        if isinstance(route.local, DirectResponse):
            if not 200 <= route.local.status < 600:
                self._notes.add(
                    f"{route.rule.rule}: status {route.local.status} is not valid in Envoy; exported as 404"
                )
                return dict(NOT_FOUND)
            return {"direct_response": _direct_response(route.local), **mutations}
        return dict(NOT_FOUND)

    def _redirect(self, local: Redirect, source: HTTPRedirect, port: int) -> Message:
        fields: Message = {"response_code": _REDIRECT_CODES[local.code]}
        if local.scheme:
            fields["scheme_redirect"] = local.scheme.decode()
        if local.authority:
            fields["host_redirect"] = local.authority.decode()
        number = local.port
        if local.port_of_request:
            number = port or _DEFAULT_PORTS["http"]
            if not port:
                self._notes.add("derivePort FROM_REQUEST_PORT: exported for port 80")
        if number and number != _DEFAULT_PORTS.get(fields.get("scheme_redirect", "http")):
            fields["port_redirect"] = number
        if isinstance(source, PathRedirect) and source.regex_rewrite is not None:
            fields["regex_rewrite"] = _substitution(source.regex_rewrite)
        elif source.prefix_rewrite:
            fields["prefix_rewrite"] = source.prefix_rewrite
        elif local.path:
            fields["path_redirect"] = local.path.decode()
        return fields

    def _forward(self, entry: RouteEntry, port: int) -> Message:
        route = entry.route
        # Nothing about grpc-timeout beside it: with `max_stream_duration` Envoy ignores `timeout`, and Istio's
        # `max_grpc_timeout` is deprecated. A client keeps its own deadline.
        fields: Message = {"timeout": duration(route.http.timeout or 0)}
        targets = [destination.target.at(port) for destination in route.destinations]
        if route.missing_status == 500:
            fields["cluster_not_found_response_code"] = "INTERNAL_SERVER_ERROR"
        first = route.destinations[0]
        if len(route.http.route) == 1:
            fields["cluster"] = self.clusters.destination(targets[0], route.missing_status)
            if first.authority:
                fields["host_rewrite_literal"] = first.authority.decode()
        else:
            fields["weighted_clusters"] = {"clusters": self._weighted(route, targets)}
        fields |= _rewrite(entry, route.http.rewrite)
        # Istio looks at the hash of a single destination only, also where several have one.
        hashed = len(route.http.route) == 1 and targets[0].hash_policy is not None
        if policy := retry_policy(route.http.retries, hashed=hashed):
            fields["retry_policy"] = policy
        hashes = [_hash_policy(target.hash_policy) for target in targets if target.hash_policy]
        if hashes:
            fields["hash_policy"] = [item for index, item in enumerate(hashes) if item not in hashes[:index]]
        if mirrors := self.mirrors(route.mirrors, port):
            fields["request_mirror_policies"] = mirrors
        return fields

    def _weighted(self, route: CompiledRoute, targets: list[Cluster]) -> list[Message]:
        entries = []
        headers_of = [item.headers for item in route.http.route if item.weight > 0]
        for destination, target, headers in zip(route.destinations, targets, headers_of, strict=True):
            item: Message = {
                "name": self.clusters.destination(target, route.missing_status),
                "weight": destination.weight,
            }
            if destination.authority:
                item["host_rewrite_literal"] = destination.authority.decode()
            entries.append(item | header_mutations([headers], self._notes))
        return entries

    def _mirror(self, policy: MirrorPolicy, port: int) -> Message | None:
        cluster = policy.cluster_at(port)
        if not policy.fraction.numerator:
            return None
        if not policy.has_endpoint(cluster) or cluster.resolves_request_host:
            why = cluster.missing or f"mirror {cluster.label}: Envoy cannot mirror to the address in Host"
            self._notes.add(f"{why}; the mirror is left out")
            return None
        if policy.path_prefix:
            path = policy.path_prefix.decode()
            self._notes.add(f"mirror {cluster.label}: Envoy cannot put {path} before a shadow's path; it is left out")
        fields: Message = {
            "cluster": self.clusters.mirror(cluster),
            "runtime_fraction": {"default_value": fraction(policy.fraction)},
            "trace_sampled": False,
        }
        if not self._suffix:
            fields["disable_shadow_host_suffix_append"] = True
        return fields


def _rewrite(entry: RouteEntry, rewrite: HTTPRewrite | None) -> Message:
    if entry.rewrite is None or rewrite is None:
        return {}
    if rewrite.uri_regex_rewrite is not None:
        return {"regex_rewrite": _substitution(rewrite.uri_regex_rewrite)}
    return {"prefix_rewrite": rewrite.uri}


def _substitution(regex: RegexRewrite) -> Message:
    return {"pattern": safe_regex(regex.match), "substitution": regex.rewrite}


def _direct_response(local: DirectResponse) -> Message:
    fields: Message = {"status": local.status}
    if local.body:
        try:
            fields["body"] = {"inline_string": local.body.decode()}
        except UnicodeDecodeError:
            fields["body"] = {"inline_bytes": base64.b64encode(local.body).decode()}
    return fields


def _hash_policy(policy: HashPolicy) -> Message:
    match policy.kind:
        case "header":
            return {"header": {"header_name": policy.name}}
        case "query":
            return {"query_parameter": {"name": policy.name}}
        case "source":
            return {"connection_properties": {"source_ip": True}}
    cookie: Message = {"name": policy.name}
    if policy.ttl is not None:
        cookie["ttl"] = duration(policy.ttl)
    if policy.path:
        cookie["path"] = policy.path
    if policy.attributes:
        cookie["attributes"] = [{"name": name, "value": value} for name, value in policy.attributes]
    return {"cookie": cookie}
