"""What a consistent hash is taken of in one request (semantics 4.1; never for mirrors)."""

from __future__ import annotations

from mirror_addon.routing.clusters import HashPolicy
from mirror_addon.routing.decision import Request
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.randomness import derived
from mirror_addon.routing.subject import Subject

_COOKIE = 0x636F6F6B6965


def hash_key(policy: HashPolicy, request: Request, draw: int) -> tuple[bytes | None, HeaderEdit | None]:
    """The bytes to hash, None where the request has none, and the cookie that its answer gets so that it has."""
    subject = Subject(request, b"")
    match policy.kind:
        case "header":
            lines = subject.lines(policy.name.lower().encode())
            return (b",".join(lines) if lines else None), None
        case "query":
            return subject.param(policy.name.encode()), None
        case "source":
            return request.client or None, None
    name = policy.name.encode()
    for line in subject.lines(b"cookie"):
        for pair in line.split(b";"):
            key, equals, value = pair.strip().partition(b"=")
            if equals and key == name:
                return value.strip(b'"'), None
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
