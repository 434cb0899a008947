"""HTTPRoute and GRPCRoute: what an API server refuses in one of them, and what is certainly not meant."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.gateway_api.filter_validation import validate_backend_port
from mirror_addon.gateway_api.filter_validation import validate_filters
from mirror_addon.gateway_api.match_validation import validate_grpc_match
from mirror_addon.gateway_api.match_validation import validate_http_match
from mirror_addon.gateway_api.reasons import INCOMPATIBLE_FILTERS
from mirror_addon.gateway_api.reasons import NO_MATCHING_PARENT
from mirror_addon.gateway_api.reasons import UNSUPPORTED_VALUE
from mirror_addon.gateway_api.resources.filters import HTTPPathModifier
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteRule
from mirror_addon.gateway_api.resources.http_route import HTTPRouteTimeouts
from mirror_addon.gateway_api.resources.references import ParentReference
from mirror_addon.gateway_api.resources.routes import RouteRule
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.gateway_api.resources.routes import backends_of
from mirror_addon.gateway_api.resources.routes import filters_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.durations import parse_duration
from mirror_addon.istio.findings import Findings

_MOST_MATCHES = 128


def validate_route(resource: Resource[RouteSpec], findings: Findings) -> None:
    spec = resource.spec
    _validate_parents(spec.parent_refs, findings)
    matches = sum(len(rule.matches) for rule in rules_of(spec))
    if matches > _MOST_MATCHES:
        findings.error(
            ("spec", "rules"), f"all rules together have at most {_MOST_MATCHES} matches; they have {matches}"
        )
    named: dict[str, int] = {}
    for index, rule in enumerate(rules_of(spec)):
        path: FieldPath = ("spec", "rules", index)
        if rule.name is not None and named.setdefault(rule.name, index) != index:
            findings.error(
                (*path, "name"), f"rules[{named[rule.name]}] has the name {rule.name!r:.80} too; give each its own"
            )
        _validate_rule(rule, path, findings)


def _validate_rule(rule: RouteRule, path: FieldPath, findings: Findings) -> None:
    if isinstance(rule, HTTPRouteRule):
        for index, match in enumerate(rule.matches):
            validate_http_match(match, (*path, "matches", index), findings)
        _validate_http_rule(rule, path, findings)
    else:
        for index, grpc_match in enumerate(rule.matches):
            validate_grpc_match(grpc_match, (*path, "matches", index), findings)
    validate_filters(rule.filters, (*path, "filters"), findings, backend=False)
    for index, backend in enumerate(backends_of(rule)):
        here = (*path, "backendRefs", index)
        validate_backend_port(backend, here, findings)
        validate_filters(backend.filters, (*here, "filters"), findings, backend=True)
    _find_useless(rule, path, findings)


def _validate_parents(parents: Sequence[ParentReference], findings: Findings) -> None:
    if not parents:
        findings.warning(
            ("spec",),
            "has no parentRefs, so it applies nowhere; name a Gateway, or a Service of the mesh",
            code=NO_MATCHING_PARENT,
        )
    seen: dict[tuple[str | None, ...], set[tuple[str, int]]] = {}
    for index, parent in enumerate(parents):
        key = (parent.group, parent.kind, parent.namespace, parent.name)
        section = (parent.section_name or "", parent.port or 0)
        others = seen.setdefault(key, set())
        if section in others:
            findings.error(("spec", "parentRefs", index), f"{parent.kind} {parent.name} is repeated; remove one")
        elif others and (section == ("", 0) or ("", 0) in others):
            findings.error(
                ("spec", "parentRefs", index),
                f"{parent.kind} {parent.name} is a parent more than once: give each a sectionName of its own",
            )
        others.add(section)


def _validate_http_rule(rule: HTTPRouteRule, path: FieldPath, findings: Findings) -> None:
    for index, item in enumerate(rule.filters):
        for name, modified in (("requestRedirect", item.request_redirect), ("urlRewrite", item.url_rewrite)):
            if modified is None:
                continue
            here = (*path, "filters", index, name)
            if name == "requestRedirect" and rule.backend_refs:
                findings.error(here, "a rule with RequestRedirect cannot have backendRefs; remove one of both")
            _validate_prefix_replacement(modified.path, rule.matches, (*here, "path"), findings)
    if rule.timeouts is not None:
        _validate_timeouts(rule.timeouts, (*path, "timeouts"), findings)


def _validate_prefix_replacement(
    modifier: HTTPPathModifier | None, matches: Sequence[HTTPRouteMatch], path: FieldPath, findings: Findings
) -> None:
    if modifier is None or modifier.replace_prefix_match is None:
        return
    if len(matches) != 1 or matches[0].path.type != "PathPrefix":
        findings.error(
            (*path, "replacePrefixMatch"),
            "needs a rule with exactly one match, of type PathPrefix; split the rule",
        )
    elif path[-2] == "urlRewrite" and matches[0].path.value == "/" and modifier.replace_prefix_match.strip("/"):
        new = modifier.replace_prefix_match.rstrip("/")
        findings.warning(
            (*path, "replacePrefixMatch"),
            f"the path /a becomes {new}/a here, as the API says, but {new}a in Istio; match another prefix than '/'",
            code=UNSUPPORTED_VALUE,
        )


def _validate_timeouts(timeouts: HTTPRouteTimeouts, path: FieldPath, findings: Findings) -> None:
    request, backend = _seconds(timeouts.request), _seconds(timeouts.backend_request)
    if request and backend is not None and backend > request:
        findings.error((*path, "backendRequest"), "cannot be longer than timeouts.request, unless that is 0s")


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        return None


def _find_useless(rule: RouteRule, path: FieldPath, findings: Findings) -> None:
    """Find mirrors of requests to which the proxy itself responds, and rules that always respond with 500."""
    redirected = isinstance(rule, HTTPRouteRule) and any(item.type == "RequestRedirect" for item in rule.filters)
    weighted = any(backend.weight for backend in backends_of(rule))
    for index, item in enumerate(filters_of(rule)):
        if item.type == "RequestMirror" and (redirected or not weighted):
            why = "redirects its requests" if redirected else "has no backend with a weight"
            findings.warning(
                (*path, "filters", index),
                f"mirrors nothing, because the rule {why}; move the mirror to a rule with backendRefs",
                code=INCOMPATIBLE_FILTERS,
            )
    if redirected or weighted:
        return
    if rule.backend_refs:
        findings.warning(
            (*path, "backendRefs"), "all weights are 0: requests get 500; give one a weight", code=UNSUPPORTED_VALUE
        )
    else:
        findings.warning(path, "has no backendRefs and no redirect: requests get 500", code=UNSUPPORTED_VALUE)
