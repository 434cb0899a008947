"""Matches of HTTPRoute and GRPCRoute: what an API server refuses (CEL rules of the CRDs) or Envoy cannot use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirror_addon.gateway_api.resources.grpc_route import GRPCHeaderMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCMethodMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPHeaderMatch
from mirror_addon.gateway_api.resources.http_route import HTTPPathMatch
from mirror_addon.gateway_api.resources.http_route import HTTPQueryParamMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.values import regex_problem

_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_FORBIDDEN = ("//", "/./", "/../", "%2f", "%2F", "#")
_SERVICE = re.compile(r"(?i:\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*)")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")

_Named = Sequence[HTTPHeaderMatch | HTTPQueryParamMatch] | Sequence[GRPCHeaderMatch]


def validate_http_match(match: HTTPRouteMatch, path: FieldPath, findings: Findings) -> None:
    _validate_path(match.path, (*path, "path"), findings)
    _validate_values(match.headers, (*path, "headers"), findings)
    _validate_values(match.query_params, (*path, "queryParams"), findings)
    _find_same_headers(match.headers, (*path, "headers"), findings)


def validate_grpc_match(match: GRPCRouteMatch, path: FieldPath, findings: Findings) -> None:
    if match.method is not None:
        _validate_method(match.method, (*path, "method"), findings)
    _validate_values(match.headers, (*path, "headers"), findings)
    _find_same_headers(match.headers, (*path, "headers"), findings)


def path_problem(value: str) -> str | None:
    """Return why a path of type Exact or PathPrefix is refused, or None."""
    if not value.startswith("/"):
        return "must start with '/'"
    for part in _FORBIDDEN:
        if part in value:
            return f"must not contain {part!r}: no request with it matches"
    if value.endswith(("/..", "/.")):
        return "must not end with '/..' or '/.'"
    if not _PATH.fullmatch(value):
        return f"{value!r:.80} has characters that a path cannot have; percent-encode them, as in %20"
    return None


def _validate_path(match: HTTPPathMatch, path: FieldPath, findings: Findings) -> None:
    problem = regex_problem(match.value) if match.type == "RegularExpression" else path_problem(match.value)
    if problem:
        findings.error((*path, "value"), problem)


def _validate_values(matches: _Named, path: FieldPath, findings: Findings) -> None:
    for index, match in enumerate(matches):
        if match.type == "RegularExpression" and match.value and (problem := regex_problem(match.value)):
            findings.error((*path, index, "value"), problem)


def _find_same_headers(
    matches: Sequence[HTTPHeaderMatch | GRPCHeaderMatch], path: FieldPath, findings: Findings
) -> None:
    """Find header names that differ only in their case. The API uses the first, Istio requires both."""
    spelled: dict[str, str] = {}
    for index, match in enumerate(matches):
        first = spelled.setdefault(match.name.lower(), match.name)
        if first != match.name:
            findings.warning(
                (*path, index, "name"),
                f"{match.name!r:.80} is the header {first!r:.80} of an entry above, and only the first is used; "
                "Istio requires both values",
            )


def _validate_method(method: GRPCMethodMatch, path: FieldPath, findings: Findings) -> None:
    if method.service is None and method.method is None:
        findings.error(path, "one or both of service and method must be given")
        return
    if method.type == "RegularExpression":
        for name, value in (("service", method.service), ("method", method.method)):
            if value is not None and (problem := regex_problem(value)):
                findings.error((*path, name), problem)
        return
    if method.service is not None and not _SERVICE.fullmatch(method.service):
        findings.error((*path, "service"), f"{method.service!r:.80} is not a gRPC service, such as package.Service")
    if method.method is not None and not _METHOD.fullmatch(method.method):
        findings.error((*path, "method"), f"{method.method!r:.80} is not a gRPC method, such as GetOrder")
