"""Mirrors of routes that never expire, for `check --strict`; `istio` has the same for virtual services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirror_addon.gateway_api.resources.filters import HTTPRequestMirrorFilter
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.gateway_api.resources.routes import filters_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.expiry_analysis import CODE
from mirror_addon.istio.expiry_analysis import EXPIRES
from mirror_addon.istio.findings import Findings


def find_endless_route_mirrors(resources: Iterable[Resource[Any]]) -> list[Diagnostic]:
    """Return a warning for each filter that mirrors, of a route without `mirror-addon/expires`."""
    found: list[Diagnostic] = []
    for resource in resources:
        if EXPIRES in resource.annotations or not isinstance(resource.spec, HTTPRouteSpec | GRPCRouteSpec):
            continue
        findings = Findings(resource.document)
        for index, rule in enumerate(rules_of(resource.spec)):
            for number, item in enumerate(filters_of(rule)):
                if item.request_mirror is not None and _is_on(item.request_mirror):
                    findings.warning(
                        ("spec", "rules", index, "filters", number, "requestMirror"),
                        f"this mirror never expires; add to the {resource.kind} the annotation {EXPIRES}, as in '72h'",
                        CODE,
                        at_key=True,
                    )
        found += findings.diagnostics
    return found


def _is_on(mirror: HTTPRequestMirrorFilter) -> bool:
    return mirror.percent != 0 and (mirror.fraction is None or mirror.fraction.numerator > 0)
