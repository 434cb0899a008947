"""Validates annotations: Istio's forbidden ones, and the names, places and values of `mirror-addon/...`."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.mirror_annotations import KNOWN
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.istio.mirror_annotations import parse_annotation
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

_REFUSED = {
    "internal.istio.io/webhook-always-reject",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/parents",
    "istio.io/dry-run",
}
"""Istio's webhook refuses objects with one of them (istio `pkg/config/validation/validation.go`)."""
_ANNOTATED = ("VirtualService", "HTTPRoute", "GRPCRoute")
AnnotationChecks = Mapping[str, Callable[[str], str]]
"""Checks by other rooms, by annotation name without the prefix; each returns what is wrong with a value, or ""."""


class Caution(str):
    """What a check returns for a value that works and should be another. It is a warning."""


def validate_annotations(kind: str, annotations: Mapping[str, str], findings: Findings) -> None:
    """Check the annotations' names, for objects of all kinds."""
    for name in annotations:
        path: FieldPath = ("metadata", "annotations", name)
        if name in _REFUSED:
            findings.error(path, "Istio refuses objects with this annotation; remove it", at_key=True)
        elif name.startswith(PREFIX):
            known = {PREFIX + own for own in KNOWN}
            if name not in known:
                findings.error(path, f"unknown annotation; {nearest(name, known)}", at_key=True)
            elif kind not in _ANNOTATED:
                findings.warning(
                    path,
                    f"has no effect on a {kind}; put it on the VirtualService or route with the mirror",
                    at_key=True,
                )


def validate_mirror_annotations(
    resource: Resource[VirtualServiceSpec], findings: Findings, checks: AnnotationChecks
) -> None:
    """Check the values of a virtual service's `mirror-addon/...` annotations, and warn where nothing is mirrored."""
    spec = resource.spec
    # A delegate can inherit its mirrors from the root, and a root has the rules of its delegates.
    alone = spec.hosts and all(http.delegate is None for http in spec.http)
    useless = alone and not any(http.mirror is not None or http.mirrors for http in spec.http)
    validate_mirror_values(resource, findings, checks, "this virtual service" if useless else "")


def validate_mirror_values(
    resource: Resource[Any], findings: Findings, checks: AnnotationChecks, mirrors_nothing: str
) -> None:
    """Check the values of an object's `mirror-addon/...` annotations.

    `mirrors_nothing` names an object on which they have no effect, and is empty for others.
    """
    given = [name for name in KNOWN if PREFIX + name in resource.annotations]
    for name in given:
        path = ("metadata", "annotations", PREFIX + name)
        text = resource.annotations[PREFIX + name]
        try:
            parse_annotation(name, text, resource.document.changed)
        except ValueError as error:
            findings.error(path, str(error))
        else:
            if name in checks and (problem := checks[name](text)):
                report = findings.warning if isinstance(problem, Caution) else findings.error
                report(path, problem)
    if given and mirrors_nothing:
        path = ("metadata", "annotations", PREFIX + given[0])
        findings.warning(path, f"has no effect: {mirrors_nothing} mirrors nothing", at_key=True)
