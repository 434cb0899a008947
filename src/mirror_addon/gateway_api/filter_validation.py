"""Filters of rules and backendRefs: what an API server refuses, and what Istio does not support where it stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mirror_addon.gateway_api.reasons import INVALID_FILTER
from mirror_addon.gateway_api.resources.filters import MEMBERS
from mirror_addon.gateway_api.resources.filters import HTTPCORSFilter
from mirror_addon.gateway_api.resources.filters import HTTPExternalAuthFilter
from mirror_addon.gateway_api.resources.filters import HTTPHeaderFilter
from mirror_addon.gateway_api.resources.filters import HTTPPathModifier
from mirror_addon.gateway_api.resources.filters import HTTPRequestMirrorFilter
from mirror_addon.gateway_api.resources.filters import RouteFilter
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.messages import Message

ONLY_ONCE = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS")
BACKEND_FILTERS = ("RequestHeaderModifier", "ResponseHeaderModifier")
"""The filters that Istio supports on a backendRef."""
_STATUS_CODES = (301, 302, 303, 307, 308)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What Istio refuses in a header's value."""


def validate_filters(filters: Sequence[RouteFilter], path: FieldPath, findings: Findings, backend: bool) -> None:
    """Check the filters of a rule, or of one of its backendRefs."""
    kinds = Counter(item.type for item in filters)
    for kind in ONLY_ONCE:
        if kinds[kind] > 1:  # type: ignore[index]
            findings.error(path, f"{kind} filter cannot be repeated; merge them into one")
    if kinds["RequestRedirect"] and kinds["URLRewrite"]:
        findings.error(path, "RequestRedirect and URLRewrite exclude each other; remove one")
    for index, item in enumerate(filters):
        _validate_filter(item, (*path, index), findings)
        if backend:
            _find_unsupported_on_backend(item, (*path, index), findings)
        elif item.type in ("ExtensionRef", "ExternalAuth"):
            findings.error(
                (*path, index, "type"),
                f"{item.type} is not supported: Istio drops the whole route, and requests get 404; "
                "remove the filter from a copy of the route for this machine",
                code=INVALID_FILTER,
            )


def member(item: RouteFilter, kind: str) -> Message | None:
    """Return what configures a filter of this type; None where it has none."""
    found = getattr(item, MEMBERS[kind], None)
    assert found is None or isinstance(found, Message)
    return found


def _validate_filter(item: RouteFilter, path: FieldPath, findings: Findings) -> None:
    for kind, name in MEMBERS.items():
        camel = _camel(name)
        given = member(item, kind) is not None
        if item.type == kind and not given:
            findings.error((*path, camel), f"{camel} is missing; a filter of type {kind} needs it")
        elif item.type is not None and item.type != kind and given:
            findings.error((*path, camel), f"a filter of type {item.type} has no {camel}; write type: {kind}")
    for name in ("request_header_modifier", "response_header_modifier"):
        if (modifier := getattr(item, name)) is not None:
            _validate_headers(modifier, (*path, _camel(name)), findings)
    if item.request_mirror is not None:
        _validate_mirror(item.request_mirror, (*path, "requestMirror"), findings)
    if (redirect := getattr(item, "request_redirect", None)) is not None:
        here = (*path, "requestRedirect")
        if redirect.status_code not in _STATUS_CODES:
            findings.error(
                (*here, "statusCode"), f"must be one of 301, 302, 303, 307, 308; it is {redirect.status_code}"
            )
        _validate_modifier(redirect.path, (*here, "path"), findings)
    if (rewrite := getattr(item, "url_rewrite", None)) is not None:
        _validate_modifier(rewrite.path, (*path, "urlRewrite", "path"), findings)
    if (cors := getattr(item, "cors", None)) is not None:
        _validate_cors(cors, (*path, "cors"), findings)
    if (auth := getattr(item, "external_auth", None)) is not None:
        _validate_external_auth(auth, (*path, "externalAuth"), findings)


def _find_unsupported_on_backend(item: RouteFilter, path: FieldPath, findings: Findings) -> None:
    if item.type is None or item.type in BACKEND_FILTERS:
        return
    if item.type == "RequestMirror":
        what = (
            "a mirror on a backendRef is refused by Istio and Envoy Gateway; the rule is served here without it: "
            "move it to the rule's filters, where it mirrors the requests to all backends"
        )
    else:
        what = (
            f"{item.type} on a backendRef is not supported: Istio drops the whole route, and requests get 404; "
            "move it to the rule's filters, or remove it from a copy of the route for this machine"
        )
    findings.error((*path, "type"), what, code=INVALID_FILTER)


def validate_backend_port(reference: BackendObjectReference, path: FieldPath, findings: Findings) -> None:
    """Check that a reference to a Service has a port."""
    if not reference.group and reference.kind == "Service" and reference.port is None:
        findings.error(path, "port is missing; write the port of the Service, as in port: 80")


def _validate_headers(modifier: HTTPHeaderFilter, path: FieldPath, findings: Findings) -> None:
    for name, headers in (("set", modifier.set), ("add", modifier.add)):
        first: dict[str, str] = {}
        for index, header in enumerate(headers):
            if CONTROL.search(header.value):
                findings.error(
                    (*path, name, index, "value"),
                    "has a control character: Istio drops the whole route; remove the character",
                    code=INVALID_FILTER,
                )
            spelled = first.setdefault(header.name.lower(), header.name)
            if spelled != header.name:
                findings.warning(
                    (*path, name, index, "name"),
                    f"{header.name!r:.80} is the header {spelled!r:.80} of an entry above; only the first is used",
                )


def _validate_mirror(mirror: HTTPRequestMirrorFilter, path: FieldPath, findings: Findings) -> None:
    if mirror.backend_ref is not None:
        validate_backend_port(mirror.backend_ref, (*path, "backendRef"), findings)
    if mirror.percent is not None and mirror.fraction is not None:
        findings.error(path, "only one of percent and fraction may be given; keep one")
    if mirror.fraction is not None and mirror.fraction.numerator > mirror.fraction.denominator:
        findings.error(
            (*path, "fraction"),
            f"numerator {mirror.fraction.numerator} is more than denominator {mirror.fraction.denominator} "
            "(100 where it is not given)",
        )


def _validate_modifier(modifier: HTTPPathModifier | None, path: FieldPath, findings: Findings) -> None:
    if modifier is None:
        return
    for kind, name, value in (
        ("ReplaceFullPath", "replaceFullPath", modifier.replace_full_path),
        ("ReplacePrefixMatch", "replacePrefixMatch", modifier.replace_prefix_match),
    ):
        if modifier.type == kind and value is None:
            findings.error((*path, name), f"{name} is missing; type {kind} needs it")
        elif modifier.type is not None and modifier.type != kind and value is not None:
            findings.error((*path, name), f"type {modifier.type} has no {name}; write type: {kind}")


def _validate_cors(cors: HTTPCORSFilter, path: FieldPath, findings: Findings) -> None:
    for name, values in (
        ("allowOrigins", cors.allow_origins),
        ("allowMethods", cors.allow_methods),
        ("allowHeaders", cors.allow_headers),
    ):
        if "*" in values and len(values) > 1:
            findings.error((*path, name), "'*' includes all others; remove it or them")


def _validate_external_auth(auth: HTTPExternalAuthFilter, path: FieldPath, findings: Findings) -> None:
    for kind, name, given in (("GRPC", "grpc", auth.grpc), ("HTTP", "http", auth.http)):
        if auth.protocol == kind and given is None:
            findings.error((*path, name), f"{name} is missing; protocol {kind} needs it")
        elif auth.protocol is not None and auth.protocol != kind and given is not None:
            findings.error((*path, name), f"protocol {auth.protocol} has no {name}")
    if auth.backend_ref is not None:
        validate_backend_port(auth.backend_ref, (*path, "backendRef"), findings)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
