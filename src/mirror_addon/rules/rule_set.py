"""From options and files to a table: what the addon and the command line both start with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.options.settings import Settings
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.listing import unsafe_targets


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A table and what was found while it was made.

    `refused`: the proxy does not take this set (YAML that does not parse, a value Istio refuses, a missing path); the
    table then holds what is left, as `explain` wants it.
    """

    table: RouteTable
    diagnostics: Sequence[Diagnostic]
    refused: bool
    documents: int
    rules: int
    """HTTP routes of all virtual services."""
    mirrors: Sequence[str]
    """The rules that mirror, in a line each."""
    unsafe: Sequence[str]
    """Labels of the mirrors that get methods which change something."""


def load_rule_set(settings: Settings, local_address: bytes, *, only_good: bool = False) -> RuleSet:
    """Read the rules' files and build the table. Reads files, else pure; raises nothing for bad input.

    `only_good`: who has no use for what is left of a refused set gets an empty table with it, sooner.
    """
    overrides = {
        (resolve_short_name(override.host, settings.namespace), override.subset): Endpoint(
            override.address, override.port
        )
        for override in settings.endpoints
    }
    paths = rules_paths(settings.rules)
    if settings.to and settings.rules == ("rules",) and not is_there(paths[0]):
        paths = []  # the mirror without YAML needs no rules folder
    loaded = load_rules(paths, default_namespace=settings.namespace, overrides=frozenset(overrides))
    table = RouteTable.build(
        () if only_good and loaded.refused else loaded.resources,
        Identity(
            namespace=settings.namespace,
            gateways=settings.gateways,
            use_remote_address=settings.use_remote_address,
            local_address=local_address,
            path_normalization=settings.path_normalization,
            sample_seed=settings.sample_seed,
        ),
        endpoint_overrides=overrides,
        mirror_to=[MirrorTo(url.scheme, url.host, url.port, url.path) for url in settings.to],
    )
    rules = sum(
        len(resource.spec.http) for resource in loaded.resources if isinstance(resource.spec, VirtualServiceSpec)
    )
    return RuleSet(
        table,
        loaded.diagnostics,
        loaded.refused,
        len(loaded.resources),
        rules,
        list(rule_lines(table, mirrored_only=True)),
        unsafe_targets(table, settings.methods),
    )
