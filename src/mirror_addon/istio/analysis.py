"""Findings across resources, as `istioctl analyze` makes them."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.documents import Resource


def analyze(resources: Sequence[Resource[Any]], *, overrides: Collection[tuple[str, str]] = ()) -> list[Diagnostic]:
    """Looks at references between resources."""
    return []
