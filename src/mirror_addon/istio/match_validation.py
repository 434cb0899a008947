"""HTTPMatchRequest and StringMatch: Istio's validation of a route's conditions."""

from __future__ import annotations

import re

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import validate_labels
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.istio.values import check_gateway_names
from mirror_addon.istio.values import check_one_of
from mirror_addon.istio.values import check_port
from mirror_addon.istio.values import is_token
from mirror_addon.istio.values import regex_problem

PSEUDO_HEADERS = frozenset({":method", ":path", ":authority", ":scheme", ":status"})
_JWT_CLAIM = re.compile(r"@request\.auth\.claims(?:\..+|\[.+\])", re.DOTALL | re.IGNORECASE)


def is_jwt_claim(header: str) -> bool:
    """Return whether a header condition is on a claim of a JSON Web Token, which only gateways support.

    Source: `ToRoutingClaim` of istio `pkg/jwt/routing.go`.
    """
    return _JWT_CLAIM.fullmatch(header) is not None


def validate_match(match: HTTPMatchRequest, path: FieldPath, in_mesh: bool, findings: Findings) -> None:
    if match.uri is not None:
        validate_string_match(match.uri, (*path, "uri"), findings, empty_prefix=True)
    for name, condition in (("scheme", match.scheme), ("method", match.method), ("authority", match.authority)):
        if condition is not None:
            validate_string_match(condition, (*path, name), findings)
    for name, conditions in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
        for header, condition in conditions.items():
            here = (*path, name, header)
            _validate_header_name(header, here, in_mesh, findings)
            validate_string_match(condition, here, findings, star=name == "withoutHeaders")
    for parameter, condition in match.query_params.items():
        validate_string_match(condition, (*path, "queryParams", parameter), findings)
    if match.port:
        check_port(match.port, (*path, "port"), findings)
    if match.source_labels:
        validate_labels(match.source_labels, (*path, "sourceLabels"), findings)
    if match.gateways:
        check_gateway_names(match.gateways, path, findings)
    if match.source_namespace and not is_dns_label(match.source_namespace):
        findings.error(
            (*path, "sourceNamespace"), f"{match.source_namespace!r:.80} is not a namespace (DNS-1123 label)"
        )


def validate_string_match(
    match: StringMatch, path: FieldPath, findings: Findings, *, empty_prefix: bool = False, star: bool = False
) -> None:
    """Check one condition. With `star` the regex `*` is accepted, which means presence: in withoutHeaders only."""
    if match.regex is not None and not (star and match.regex == "*") and (problem := regex_problem(match.regex)):
        findings.error((*path, "regex"), problem)
    if match.prefix == "" and not empty_prefix:
        findings.error((*path, "prefix"), "an empty prefix is refused; write {} to test for presence")
    given = [name for name in ("exact", "prefix", "regex") if getattr(match, name) is not None]
    check_one_of(given, path, findings)


def _validate_header_name(name: str, path: FieldPath, in_mesh: bool, findings: Findings) -> None:
    if is_jwt_claim(name):
        if in_mesh:
            findings.error(
                path, "conditions on JWT claims work on gateways only; name gateways other than mesh", at_key=True
            )
    elif name not in PSEUDO_HEADERS and not is_token(name):
        findings.error(path, f"{name!r:.80} is not a header name", at_key=True)
