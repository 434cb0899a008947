"""CORS as Envoy's filter does it: the proxy responds to preflights and adds fields to the actual responses.

The terms are those of the Fetch standard. Behaviour was measured with Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirror_addon.istio.resources.virtual_service import CorsPolicy
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.conditions import string_test
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.header_edits import HeaderEdit

_ORIGIN = b"access-control-allow-origin"
_CREDENTIALS = b"access-control-allow-credentials"
_EXPOSE = b"access-control-expose-headers"
_METHOD, _HEADERS = b"access-control-request-method", b"access-control-request-headers"


def _value(request: Request, name: bytes) -> bytes:
    """Return the lines of a field joined by commas, as Envoy joins these; empty where it is absent."""
    return b",".join(value for field, value in request.headers if len(field) == len(name) and field.lower() == name)


@dataclass(frozen=True, slots=True, eq=False)
class Cors:
    """A compiled CORS policy."""

    origins: tuple[Callable[[bytes], bool], ...]
    methods: bytes
    headers: bytes
    expose: bytes
    max_age: bytes
    credentials: bool
    forward_unmatched: bool

    def _allows(self, origin: bytes) -> bool:
        return any(test(b"*") or test(origin) for test in self.origins)

    def preflight(self, request: Request) -> LocalResponse | None:
        """Return the response to a preflight; None for other requests and for those that go to the destination."""
        if request.method != b"OPTIONS":
            return None
        origin, method = _value(request, b"origin"), _value(request, _METHOD)
        if not origin or not method:
            return None
        allowed = self._allows(origin)
        if not allowed and self.forward_unmatched:
            return None
        # For an origin that is not allowed Envoy leaves out only this field; browsers then ignore all others.
        fields = [(_ORIGIN, origin)] if allowed else []
        if self.credentials:
            fields.append((_CREDENTIALS, b"true"))
        if self.methods:
            fields.append((b"access-control-allow-methods", method if self.methods == b"*" else self.methods))
        if self.headers:
            asked = _value(request, _HEADERS) if self.headers == b"*" else self.headers
            fields.append((b"access-control-allow-headers", asked))
        if self.max_age:
            fields.append((b"access-control-max-age", self.max_age))
        if allowed and self.expose:
            fields.append((_EXPOSE, self.expose))
        return LocalResponse(200, tuple(fields), b"")

    def response_edit(self, request: Request) -> HeaderEdit | None:
        """Return the edit of the response to an actual cross-origin request; None for other requests."""
        origin = _value(request, b"origin")
        if not origin or not self._allows(origin):
            return None
        fields: Fields = ((_ORIGIN, origin),)
        if self.credentials:
            fields += ((_CREDENTIALS, b"true"),)
        if self.expose:
            fields += ((_EXPOSE, self.expose),)
        words = tuple(f"set {name.decode()}: {value.decode('latin-1')}" for name, value in fields)
        return HeaderEdit(frozenset(name for name, _ in fields), fields, (), words)


def allowed_origins(policy: CorsPolicy) -> tuple[StringMatch, ...]:
    """Return `allowOrigins`, or the deprecated `allowOrigin` in its form."""
    return policy.allow_origins or tuple(StringMatch(exact=origin) for origin in policy.allow_origin)


def compile_cors(policy: CorsPolicy | None) -> Cors | None:
    if policy is None:
        return None
    tests = [string_test(match)[0] for match in allowed_origins(policy)]
    return Cors(
        origins=tuple(test for test in tests if test is not None),
        methods=",".join(policy.allow_methods).encode(),
        headers=",".join(policy.allow_headers).encode(),
        expose=",".join(policy.expose_headers).encode(),
        max_age=b"" if policy.max_age is None else b"%d" % int(policy.max_age),
        credentials=bool(policy.allow_credentials),
        forward_unmatched=policy.unmatched_preflights != "IGNORE",
    )
