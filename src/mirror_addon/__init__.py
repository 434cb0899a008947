"""Istio's traffic mirroring in mitmproxy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from mirror_addon._version import __version__

if TYPE_CHECKING:
    from mirror_addon.addon import MirrorAddon

__all__ = ["MirrorAddon", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy, so that the worker process and the command line do not pay for importing mitmproxy.
    if name == "MirrorAddon":
        from mirror_addon.addon import MirrorAddon

        return MirrorAddon
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
