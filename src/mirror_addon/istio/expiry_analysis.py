"""Mirrors without an expiry date, for `check --strict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

CODE = "MIRROR0001"
"""Not a code of istioctl: Istio has no expiry of mirrors."""
EXPIRES = PREFIX + "expires"


def find_endless_mirrors(resources: Sequence[Resource[Any]]) -> list[Diagnostic]:
    """Return a warning for each mirroring rule without `mirror-addon/expires`.

    A delegate does not need the annotation where all virtual services that delegate to it have it.
    """
    services = [resource for resource in resources if isinstance(resource.spec, VirtualServiceSpec)]
    found = []
    for resource in services:
        if EXPIRES in resource.annotations or _ends_by_roots(resource, services):
            continue
        findings = Findings(resource.document)
        for index, http in enumerate(resource.spec.http):
            if field := _mirror_of(http):
                findings.warning(
                    ("spec", "http", index, field),
                    f"this mirror never expires; add to the virtual service the annotation {EXPIRES}, as in '72h'",
                    CODE,
                    at_key=True,
                )
        found += findings.diagnostics
    return found


def _mirror_of(http: HTTPRoute) -> str:
    """Return the field with a mirror that receives requests, or an empty text."""
    off = http.mirror_percent == 0
    if http.mirror_percentage is not None:
        off = http.mirror_percentage.value <= 0
    if http.mirror is not None and not off:
        return "mirror"
    on = any(policy.percentage is None or policy.percentage.value > 0 for policy in http.mirrors)
    return "mirrors" if on else ""


def _ends_by_roots(delegate: Resource[VirtualServiceSpec], services: Sequence[Resource[VirtualServiceSpec]]) -> bool:
    if delegate.spec.hosts:
        return False
    roots = [
        root
        for root in services
        for http in root.spec.http
        if http.delegate is not None
        and (http.delegate.name, http.delegate.namespace or root.namespace) == (delegate.name, delegate.namespace)
    ]
    return bool(roots) and all(EXPIRES in root.annotations for root in roots)
