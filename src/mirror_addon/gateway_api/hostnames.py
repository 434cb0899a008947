"""Host names with and without a wildcard: what two of them have in common.

`*.x` stands for any number of labels below `x`, never for `x` itself. An empty name or `*` stands for every host.
Source: istio `pkg/config/host/name.go`.
"""

from __future__ import annotations

ANY = "*"


def covers(wide: str, narrow: str) -> bool:
    """Whether every host that `narrow` stands for is one of `wide`."""
    if wide in (ANY, narrow):
        return True
    return wide.startswith("*") and narrow.removeprefix("*").endswith(wide[1:])


def intersection(one: str, other: str) -> str | None:
    """Return the narrower of two names where one covers the other; None where they have nothing in common."""
    one, other = one.lower() or ANY, other.lower() or ANY
    if covers(one, other):
        return other
    return one if covers(other, one) else None


def is_isolated(hostname: str, own: str, others: frozenset[str]) -> bool:
    """Whether a route's host name belongs to another listener of the port, because that one is more specific.

    `own` is the host name of the listener to which the route is attached, `others` are those of the other listeners.
    Source: istio `pilot/pkg/config/kube/gateway/conversion.go`, `hostnameAllowedByIsolation`.
    """
    own = own or ANY
    if not own.startswith("*"):
        return False
    if own != ANY and intersection(hostname, own) is None:
        return True
    return any(other and len(other) >= len(own) and covers(other, hostname) for other in others - {own})
