"""The key of a consistent hash in one request (Istio's `consistentHash`, Envoy's `hash_policy`).

Mirrors have none: Envoy gives a shadow no hash policy, so its endpoint is random.
"""

from __future__ import annotations

from mirror_addon.routing.clusters import HashPolicy
from mirror_addon.routing.decision import Request
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.randomness import derived

_COOKIE = 0x636F6F6B6965


def hash_key(policy: HashPolicy, request: Request, draw: int) -> tuple[bytes | None, HeaderEdit | None]:
    """Return the bytes to hash and the edit of the response.

    The bytes are None where the request has none; then an endpoint is drawn. The edit sets the cookie that was missing,
    where the policy has a `ttl`, so that the client's next request has one; else it is None.
    """
    lookup = RequestLookup(request, b"")
    match policy.kind:
        case "header":
            lines = lookup.lines(policy.name.lower().encode())
            return (b",".join(lines) if lines else None), None
        case "query":
            return lookup.param(policy.name.encode()), None
        case "source":
            return request.client or None, None
    if (cookie := lookup.cookie(policy.name.encode())) is not None:
        return cookie, None
    if policy.ttl is None:
        return None, None
    value = b"%016x" % derived(draw, _COOKIE)
    return value, _set_cookie(policy, value)


def _set_cookie(policy: HashPolicy, value: bytes) -> HeaderEdit:
    parts = [f'{policy.name}="{value.decode()}"']
    if policy.ttl:
        parts.append(f"Max-Age={int(policy.ttl)}")
    if policy.path:
        parts.append(f"Path={policy.path}")
    parts += [f"{name}={text}" if text else name for name, text in policy.attributes]
    cookie = "; ".join([*parts, "HttpOnly"])
    return HeaderEdit(frozenset(), ((b"set-cookie", cookie.encode()),), (), (f"add set-cookie: {cookie}",))
