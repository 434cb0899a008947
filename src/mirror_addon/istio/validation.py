"""Validation of one object by itself: the rules of Istio's webhook."""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings


def validate(resource: Resource[Any], findings: Findings) -> None:
    """Puts into `findings` what Istio's webhook would refuse (IST0106) or warn of (IST0133)."""
