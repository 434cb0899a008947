"""The annotations of this proxy, `mirror-addon/...`, and those that Istio keeps to itself."""

from __future__ import annotations

from collections.abc import Mapping

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings

PREFIX = "mirror-addon/"
KNOWN = (
    "expires",
    "active",
    "max-rps",
    "max-requests",
    "methods",
    "when",
    "sample-by",
    "remove-headers",
    "set-headers",
    "ignore",
)
"""On a VirtualService, each with the prefix."""
_REFUSED = {
    "internal.istio.io/webhook-always-reject",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/parents",
    "istio.io/dry-run",
}
"""Istio's webhook refuses an object with one of them (validation.go)."""


def validate_annotations(kind: str, annotations: Mapping[str, str], findings: Findings) -> None:
    """Names only: what a value may be is for the part of the proxy that acts on it."""
    for name in annotations:
        path: FieldPath = ("metadata", "annotations", name)
        if name in _REFUSED:
            findings.error(path, "Istio refuses objects with this annotation; remove it", at_key=True)
        elif name.startswith(PREFIX):
            known = {PREFIX + own for own in KNOWN}
            if name not in known:
                findings.error(path, f"unknown annotation; {nearest(name, known)}", at_key=True)
            elif kind != "VirtualService":
                findings.warning(
                    path, f"has no effect on a {kind}; put it on the VirtualService with the mirror", at_key=True
                )
