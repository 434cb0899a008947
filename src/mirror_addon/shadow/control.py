"""The control: the primary's own destination asked once more, to learn what differs there by itself. Pure."""

from __future__ import annotations

from dataclasses import replace

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request

SAFE = frozenset({b"GET", b"HEAD"})


def is_control(decision: Decision, mirror: Mirror) -> bool:
    """Whether `mirror` goes where the primary goes: to the same cluster, or to the same endpoint."""
    primary, endpoint, cluster = decision.cluster, decision.endpoint, mirror.cluster
    if primary is None or endpoint is None:
        return False
    if primary.subset == cluster.subset and primary.host == cluster.host and primary.port == cluster.port:
        return True
    other = mirror.endpoint
    return (
        other is not None
        and endpoint.port == other.port
        and endpoint.address == other.address
        and bool(endpoint.address)
        and not mirror.path_prefix
    )


def asked_again(decision: Decision, timeout: float | None) -> Mirror | None:
    """The primary's destination as a mirror of its own; None where it is not known before mitmproxy dials it."""
    cluster, endpoint = decision.cluster, decision.endpoint
    if cluster is None or endpoint is None or not endpoint.address:
        return None
    return Mirror(cluster, endpoint, 100, True, None, timeout)


def control_request(request: Request, mirror: Mirror, *, timeout: float) -> ShadowRequest:
    """`request` as it leaves, once more: no suffix, and no hop more in X-Forwarded-For."""
    shadow = shadow_request(request, mirror, id="", body=0, own_address=b"", suffix=b"", timeout=timeout)
    headers = []
    for name, value in shadow.headers:
        if name.lower() == b"x-forwarded-for":
            value = value.rpartition(b",")[0]  # the empty hop
            if not value:
                continue
        headers.append((name, value))
    target = shadow.target._replace(label=f"control:{shadow.target.label}")
    return replace(shadow, target=target, headers=tuple(headers))
