"""From options and files to a route table: what the addon and the command line both start with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.options.settings import Settings
from mirror_addon.options.values import MirrorURL
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.files import Parsed
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.listing import unsafe_targets
from mirror_addon.rules.lost_endpoints import Missing
from mirror_addon.rules.lost_endpoints import missing_endpoints
from mirror_addon.rules.option_names import unknown_names


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A table, and what was found while it was made.

    `refused`: the proxy does not take this set, because of a missing path or, with `mirror_strict`, YAML that does not
    parse or a value that Istio refuses. The table then holds the rest of the rules, which `mirror-addon explain` shows.
    """

    table: RouteTable
    diagnostics: Sequence[Diagnostic]
    refused: bool
    broken: bool
    """Some of the rules could not be read at all, so that the table does not tell what a request would meet."""
    documents: int
    rules: int
    """The number of HTTP routes of all virtual services, and of rules of all routes of the Gateway API."""
    missing: Missing
    """The routes and mirrors that have no endpoint."""
    mirrors: Sequence[str]
    """The rules that mirror, one line each."""
    warnings: Sequence[str]
    """Entries of options that name nothing in the rules, a line each."""
    unsafe: Sequence[str]
    """Labels of the mirrors that get requests whose methods may change something."""
    faulty: Sequence[str]
    """The objects that Istio would refuse: kind, name and place. Without `mirror_strict` they are left out."""


def load_rule_set(
    settings: Settings,
    local_address: bytes,
    *,
    only_good: bool = False,
    parsed: Parsed | None = None,
    primary_endpoints: bool = True,
) -> RuleSet:
    """Read the files that `settings` name, and build the table.

    `local_address` is this machine's address, as it appears in X-Forwarded-For. `only_good`: a refused set has an
    empty table, which takes less time, for a caller that does not use it. `parsed` is as in `load_rules`.
    `primary_endpoints` is as in `RouteTable.build`. Bad input raises nothing; OSError is raised as by `read_rules`.
    """
    paths = rules_paths(settings.rules)
    if settings.to and settings.rules == ("rules",) and not is_there(paths[0]):
        paths = []  # `mirror_to` needs no rules, and this is only the option's default
    loaded = load_rules(
        paths,
        default_namespace=settings.namespace,
        endpoints=settings.endpoints,
        parsed=parsed,
        strict=settings.strict,
    )
    table = RouteTable.build(
        () if only_good and loaded.refused else loaded.resources,
        Identity(
            namespace=settings.namespace,
            gateways=settings.gateways,
            use_remote_address=settings.use_remote_address,
            local_address=local_address,
            path_normalization=settings.path_normalization,
            sample_seed=settings.sample_seed,
            mesh_headers=settings.proxy_headers == "istio",
        ),
        endpoint_overrides=loaded.endpoints.overrides,
        primary_endpoints=primary_endpoints,
        mirror_to=[_mirror_to(url) for url in settings.to],
    )
    rules = sum(map(_rules_of, loaded.resources))
    return RuleSet(
        table,
        loaded.diagnostics,
        loaded.refused,
        loaded.broken,
        len(loaded.resources),
        rules,
        missing_endpoints(table),
        list(rule_lines(table, mirrored_only=True)),
        [*loaded.endpoints.problems, *unknown_names(settings, loaded.resources)],
        unsafe_targets(table, settings.methods),
        loaded.faulty,
    )


def _rules_of(resource: Resource[Any]) -> int:
    if isinstance(resource.spec, VirtualServiceSpec):
        return len(resource.spec.http)
    return len(resource.spec.rules) if isinstance(resource.spec, HTTPRouteSpec | GRPCRouteSpec) else 0


def _mirror_to(url: MirrorURL) -> MirrorTo:
    matches = None
    if url.filter:
        from mirror_addon.admission.request_filter import RequestFilter  # imports mitmproxy, and few have a filter

        matches = RequestFilter(url.filter)
    return MirrorTo(url.scheme, url.host, url.port, url.path, url.filter, matches)
