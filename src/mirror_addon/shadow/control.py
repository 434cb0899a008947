"""The control: a second copy of a request, sent to the primary's own destination. Pure.

What differs between the primary's response and the control's differs without any change of version: such differences
are noise, and do not count in the comparison with a mirror (compare.noise).
"""

from __future__ import annotations

from dataclasses import replace

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request

SAFE = frozenset({b"GET", b"HEAD"})
"""Methods of requests that may be repeated (RFC 9110 9.2.1), and whose responses are worth a comparison."""


def is_control(decision: Decision, mirror: Mirror) -> bool:
    """Whether `mirror` has the primary's destination: the same cluster, or the same endpoint and path."""
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
    """The primary's destination as a mirror. None if the decision has no address, so that mitmproxy looks it up."""
    cluster, endpoint = decision.cluster, decision.endpoint
    if cluster is None or endpoint is None or not endpoint.address:
        return None
    return Mirror(cluster, endpoint, 100, True, None, timeout)


def control_request(request: Request, mirror: Mirror, *, timeout: float) -> ShadowRequest:
    """The primary's request as it leaves the proxy. Unlike a shadow it has no suffix of the host and no additional hop
    in X-Forwarded-For. `timeout` is in seconds."""
    shadow = shadow_request(request, mirror, body=0, own_address=b"", suffix=b"", timeout=timeout)
    headers = []
    for name, value in shadow.headers:
        if name.lower() == b"x-forwarded-for":
            value = value.rpartition(b",")[0]  # without the hop that shadow_request appended, which is empty here
            if not value:
                continue
        headers.append((name, value))
    target = shadow.target._replace(label=f"control:{shadow.target.label}")
    return replace(shadow, target=target, headers=tuple(headers))
