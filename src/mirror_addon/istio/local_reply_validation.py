"""Redirect, direct response, fault and CORS: Istio's validation of the responses that the proxy itself sends."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.match_validation import validate_string_match
from mirror_addon.istio.resources.virtual_service import Abort
from mirror_addon.istio.resources.virtual_service import CorsPolicy
from mirror_addon.istio.resources.virtual_service import Delay
from mirror_addon.istio.resources.virtual_service import HTTPDirectResponse
from mirror_addon.istio.resources.virtual_service import HTTPFaultInjection
from mirror_addon.istio.resources.virtual_service import HTTPRedirect
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.values import MAX_PORT
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_fault_percent
from mirror_addon.istio.values import check_one_of
from mirror_addon.istio.values import is_token

DEPRECATED = "IST0002"
REDIRECT_CODES = (301, 302, 303, 307, 308)
CORS_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"])
GRPC_STATUSES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_BODY_WARNING = 100 * 1024
_BODY_LIMIT = 1024 * 1024


def validate_redirect(redirect: HTTPRedirect, route: HTTPRoute, path: FieldPath, findings: Findings) -> None:
    if redirect.uri and redirect.prefix_rewrite:
        findings.error(path, "only one of uri and prefixRewrite may be set; keep one")
    if redirect.prefix_rewrite and any(match.uri is not None and match.uri.prefix is None for match in route.match):
        findings.error((*path, "prefixRewrite"), "each match of this route must have uri.prefix; use uri instead")
    anything = redirect.uri or redirect.prefix_rewrite or redirect.authority or redirect.scheme
    if not anything and redirect.port is None and redirect.derive_port is None:
        findings.error(path, "changes nothing; set uri, prefixRewrite, authority, scheme or port")
    given = [
        name for name, there in (("port", redirect.port), ("derivePort", redirect.derive_port)) if there is not None
    ]
    check_one_of(given, path, findings)
    code = redirect.redirect_code
    if code and not 300 <= code <= 399:
        findings.error((*path, "redirectCode"), f"must be one of {_codes()}; it is {code}")
    elif code and code not in REDIRECT_CODES:
        findings.warning((*path, "redirectCode"), f"Envoy has no redirect with {code}; write one of {_codes()}")
    if redirect.scheme not in ("", "http", "https"):
        findings.error((*path, "scheme"), f"must be http or https; it is {redirect.scheme!r:.40}")
    if redirect.port is not None and redirect.port > MAX_PORT:
        findings.error((*path, "port"), f"must be a port from 1 to {MAX_PORT}; it is {redirect.port}")


def _codes() -> str:
    return ", ".join(map(str, REDIRECT_CODES))


def validate_direct_response(response: HTTPDirectResponse, path: FieldPath, findings: Findings) -> None:
    if not 200 <= response.status <= 600:
        what = f"it is {response.status}" if response.status else "it is missing"
        findings.error((*path, "status"), f"must be an HTTP status from 200 to 599; {what}")
    if response.body is None:
        return
    text, octets = response.body.string, response.body.bytes
    given = [name for name, there in (("string", text), ("bytes", octets)) if there is not None]
    check_one_of(given, (*path, "body"), findings)
    size = len(octets) if octets is not None else len((text or "").encode("utf-8", "surrogatepass"))
    if size > _BODY_LIMIT:
        findings.error((*path, "body"), f"the body has {size:,} bytes; Istio accepts at most 1 MiB")
    elif size > _BODY_WARNING:
        findings.warning((*path, "body"), f"{size:,} bytes; Istio warns above 100 KiB")


def validate_fault(fault: HTTPFaultInjection, path: FieldPath, findings: Findings) -> None:
    if fault.delay is None and fault.abort is None:
        findings.error(path, "needs delay or abort")
    if fault.delay is not None:
        _validate_delay(fault.delay, (*path, "delay"), findings)
    if fault.abort is not None:
        _validate_abort(fault.abort, (*path, "abort"), findings)


def _validate_delay(delay: Delay, path: FieldPath, findings: Findings) -> None:
    check_fault_percent(delay.percentage, (*path, "percentage"), findings)
    if delay.percent:
        findings.warning(
            (*path, "percent"),
            f"is deprecated; write percentage: {{value: {delay.percent}}}",
            code=DEPRECATED,
            at_key=True,
        )
    check_duration(delay.fixed_delay, (*path, "fixedDelay"), findings)
    if delay.exponential_delay is not None:
        findings.error((*path, "exponentialDelay"), "is not supported by Istio; write fixedDelay", at_key=True)


def _validate_abort(abort: Abort, path: FieldPath, findings: Findings) -> None:
    check_fault_percent(abort.percentage, (*path, "percentage"), findings)
    members = (("httpStatus", abort.http_status), ("grpcStatus", abort.grpc_status), ("http2Error", abort.http2_error))
    check_one_of([name for name, there in members if there is not None], path, findings)
    if abort.http_status is not None and not 200 <= abort.http_status <= 600:
        findings.error((*path, "httpStatus"), f"must be from 200 to 599; it is {abort.http_status}")
    if abort.grpc_status is not None and abort.grpc_status not in GRPC_STATUSES:
        findings.error(
            (*path, "grpcStatus"),
            f"{abort.grpc_status!r:.40} is not a gRPC status; {nearest(abort.grpc_status, GRPC_STATUSES)}",
        )
    if abort.http2_error is not None:
        findings.error((*path, "http2Error"), "is not supported by Istio; write httpStatus", at_key=True)


def validate_cors(cors: CorsPolicy, path: FieldPath, findings: Findings) -> None:
    if cors.allow_origin:
        findings.warning(
            (*path, "allowOrigin"), "is deprecated; write allowOrigins: [{exact: ...}]", code=DEPRECATED, at_key=True
        )
    for index, origin in enumerate(cors.allow_origins):
        here = (*path, "allowOrigins", index)
        if not (origin.exact or origin.prefix or origin.regex):
            findings.error(here, "matches no origin; write exact, prefix or regex with a value")
        else:
            validate_string_match(origin, here, findings)
    for index, method in enumerate(cors.allow_methods):
        if method not in CORS_METHODS:
            findings.error(
                (*path, "allowMethods", index), f"{method!r:.40} is not a method here; {nearest(method, CORS_METHODS)}"
            )
    for name, headers in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, header in enumerate(headers):
            if not is_token(header):
                findings.error((*path, name, index), f"{header!r:.80} is not a header name")
    if cors.max_age is not None:
        check_duration(cors.max_age, (*path, "maxAge"), findings)
        if round(cors.max_age * 1e9) % 1_000_000_000:
            findings.error((*path, "maxAge"), "must be of whole seconds")
