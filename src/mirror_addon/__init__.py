"""Istio's traffic mirroring in mitmproxy.

What this package offers to Python programs, beside the addon: `read_records` reads the pairs of a record,
`compare_responses` compares two responses as the proxy does, and `RoutingRules` decides a request as
`mirror-addon explain` does. None of these imports mitmproxy. docs/reference/python.md has examples.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING
from typing import Any

from mirror_addon._version import __version__

if TYPE_CHECKING:
    from mirror_addon.addon import MirrorAddon
    from mirror_addon.api.decisions import Destination
    from mirror_addon.api.decisions import LeavingRequest
    from mirror_addon.api.decisions import LocalReply
    from mirror_addon.api.decisions import MirrorDecision
    from mirror_addon.api.decisions import RouteDecision
    from mirror_addon.api.decisions import RoutingRules
    from mirror_addon.api.records import RecordedPair
    from mirror_addon.api.records import RecordedRequest
    from mirror_addon.api.records import read_records
    from mirror_addon.api.response import Response
    from mirror_addon.api.response import compare_responses
    from mirror_addon.compare.calls import Call
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.compare.difference import Difference
    from mirror_addon.compare.rules import Rules as ComparisonRules

__all__ = [
    "Call",
    "Comparison",
    "ComparisonRules",
    "Destination",
    "Difference",
    "LeavingRequest",
    "LocalReply",
    "MirrorAddon",
    "MirrorDecision",
    "RecordedPair",
    "RecordedRequest",
    "Response",
    "RouteDecision",
    "RoutingRules",
    "__version__",
    "compare_responses",
    "read_records",
]

_PLACES = {
    "mirror_addon.addon": ("MirrorAddon",),
    "mirror_addon.api.decisions": (
        "Destination", "LeavingRequest", "LocalReply", "MirrorDecision", "RouteDecision", "RoutingRules",
    ),
    "mirror_addon.api.records": ("RecordedPair", "RecordedRequest", "read_records"),
    "mirror_addon.api.response": ("Response", "compare_responses"),
    "mirror_addon.compare.calls": ("Call",),
    "mirror_addon.compare.comparison": ("Comparison",),
    "mirror_addon.compare.difference": ("Difference",),
    "mirror_addon.compare.rules": ("Rules",),
}  # fmt: skip
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Lazy, so that the worker process and the command line do not pay for importing mitmproxy, and programs only for
    # what they use.
    inside = "Rules" if name == "ComparisonRules" else name
    if name not in __all__ or inside not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_MODULES[inside]), inside)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
