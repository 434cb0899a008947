"""HTTPRoute: Istio's validation of one `http` item (istio `pkg/config/validation/virtualservice.go`)."""

from __future__ import annotations

import http
import re

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.header_syntax import header_syntax_problem
from mirror_addon.istio.header_values import header_value_problem
from mirror_addon.istio.local_reply_validation import validate_cors
from mirror_addon.istio.local_reply_validation import validate_direct_response
from mirror_addon.istio.local_reply_validation import validate_fault
from mirror_addon.istio.local_reply_validation import validate_redirect
from mirror_addon.istio.match_validation import validate_match
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.istio.resources.virtual_service import Headers
from mirror_addon.istio.resources.virtual_service import HTTPRetry
from mirror_addon.istio.resources.virtual_service import HTTPRewrite
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_mirror_percent
from mirror_addon.istio.values import check_selector
from mirror_addon.istio.values import regex_problem

_HOST_NAMES = frozenset({"host", ":authority"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
RETRY_POLICIES = frozenset(
    {
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    }
)
_STATUSES = frozenset(str(int(status)) for status in http.HTTPStatus)


def validate_route(route: HTTPRoute, path: FieldPath, *, is_delegate: bool, in_mesh: bool, findings: Findings) -> None:
    """`is_delegate`: the virtual service has no hosts; `in_mesh`: it applies to sidecars."""
    if route.delegate is not None:
        _validate_root(route, path, is_delegate, findings)
    else:
        _validate_action(route, path, findings)
    for index, match in enumerate(route.match):
        validate_match(match, (*path, "match", index), in_mesh, findings)
    _validate_destinations(route, path, findings)
    _validate_mirrors(route, path, findings)
    if route.rewrite is not None:
        _validate_rewrite(route.rewrite, (*path, "rewrite"), findings)
        _warn_of_double_slash(route, route.rewrite, path, findings)
    if route.headers is not None:
        _validate_headers(route.headers, (*path, "headers"), findings)
        _validate_authority(route, path, findings)
    if route.redirect is not None:
        validate_redirect(route.redirect, route, (*path, "redirect"), findings)
    if route.direct_response is not None:
        validate_direct_response(route.direct_response, (*path, "directResponse"), findings)
    if route.fault is not None:
        validate_fault(route.fault, (*path, "fault"), findings)
    if route.cors_policy is not None:
        validate_cors(route.cors_policy, (*path, "corsPolicy"), findings)
    if route.timeout is not None:
        check_duration(route.timeout, (*path, "timeout"), findings)
    if route.retries is not None:
        _validate_retries(route.retries, (*path, "retries"), findings)
        findings.info((*path, "retries"), "not emulated: retries", at_key=True)


def _validate_root(route: HTTPRoute, path: FieldPath, is_delegate: bool, findings: Findings) -> None:
    if is_delegate:
        findings.error((*path, "delegate"), "a delegate cannot delegate further; give this virtual service hosts")
    given = [name for name, value in (("route", route.route), ("redirect", route.redirect)) if value]
    if given:
        findings.error((*path, "delegate"), f"cannot be combined with {' and '.join(given)}; the delegate has them")


def _validate_action(route: HTTPRoute, path: FieldPath, findings: Findings) -> None:
    others = [
        name
        for name, value in (("route", route.route), ("fault", route.fault), ("rewrite", route.rewrite))
        if value or (value is not None and name != "route")
    ]
    if route.redirect is not None:
        conflicts = others + (["directResponse"] if route.direct_response is not None else [])
        if conflicts:
            findings.error((*path, "redirect"), f"cannot be combined with {', '.join(conflicts)}; keep one")
    elif route.direct_response is not None:
        if others:
            findings.error((*path, "directResponse"), f"cannot be combined with {', '.join(others)}; keep one")
    elif not route.route:
        findings.error(path, "needs one of route, redirect, directResponse or delegate")


def _validate_destinations(route: HTTPRoute, path: FieldPath, findings: Findings) -> None:
    for index, item in enumerate(route.route):
        here = (*path, "route", index)
        validate_destination(item.destination, here, findings)
        if item.weight < 0:
            findings.error((*here, "weight"), f"must not be negative; it is {item.weight}")
        if item.headers is not None:
            _validate_headers(item.headers, (*here, "headers"), findings)
    if len(route.route) > 1 and sum(item.weight for item in route.route) == 0:
        findings.error((*path, "route"), "the weights of several destinations must not all be 0")


def validate_destination(destination: Destination | None, path: FieldPath, findings: Findings) -> None:
    """Check a required destination; `path` is that of the message with the field `destination`."""
    if destination is None:
        findings.error(path, "destination is missing; write destination: {host: ...}")
        return
    validate_target(destination, (*path, "destination"), findings)


def validate_target(destination: Destination, path: FieldPath, findings: Findings) -> None:
    host = destination.host
    if host == "*":
        findings.error((*path, "host"), "'*' is not a destination; name one host")
    elif problem := domain_problem(host, True):
        cure = "; declare a ServiceEntry for the address and name its host here" if is_ip(host) else "; name a service"
        findings.error((*path, "host"), f"host {host!r:.80} {problem}{cure}")
    if destination.subset and not is_dns_label(destination.subset):
        findings.error((*path, "subset"), f"{destination.subset!r:.80} is not a subset name (DNS-1123 label)")
    check_selector(destination.port, (*path, "port"), findings)


def _validate_mirrors(route: HTTPRoute, path: FieldPath, findings: Findings) -> None:
    if route.mirror is not None:
        validate_target(route.mirror, (*path, "mirror"), findings)
        if route.mirrors:
            findings.error((*path, "mirror"), "cannot be combined with mirrors; move it there")
    if route.mirror_percent is not None:
        if route.mirror_percent > 100:
            findings.error((*path, "mirrorPercent"), f"must be from 0 to 100; it is {route.mirror_percent}")
        findings.warning(
            (*path, "mirrorPercent"),
            f"is deprecated; write mirrorPercentage: {{value: {route.mirror_percent}}}",
            at_key=True,
        )
    check_mirror_percent(route.mirror_percentage, (*path, "mirrorPercentage"), findings)
    for index, mirror in enumerate(route.mirrors):
        validate_destination(mirror.destination, (*path, "mirrors", index), findings)
        check_mirror_percent(mirror.percentage, (*path, "mirrors", index, "percentage"), findings)


def _validate_rewrite(rewrite: HTTPRewrite, path: FieldPath, findings: Findings) -> None:
    regex = rewrite.uri_regex_rewrite
    if regex is not None:
        if rewrite.uri:
            findings.error(path, "only one of uri and uriRegexRewrite may be set; keep one")
        if not regex.match or not regex.rewrite:
            findings.error((*path, "uriRegexRewrite"), "needs both match and rewrite")
        elif problem := regex_problem(regex.match):
            findings.error((*path, "uriRegexRewrite", "match"), problem)
    elif not rewrite.uri and not rewrite.authority:
        findings.error(path, "needs one of uri, authority or uriRegexRewrite")


def _warn_of_double_slash(route: HTTPRoute, rewrite: HTTPRewrite, path: FieldPath, findings: Findings) -> None:
    """Warn where Envoy's literal replacement of the prefix `/serviceB` by `/` turns `/serviceB/info` into `//info`."""
    if not rewrite.uri.endswith("/"):
        return
    for match in route.match:
        prefix = match.uri.prefix if match.uri is not None else None
        if prefix and not prefix.endswith("/"):
            findings.warning(
                (*path, "rewrite", "uri"),
                f"{prefix}/x becomes {rewrite.uri}/x, with two slashes: Istio replaces the matched prefix as it is; "
                f"match both 'prefix: {prefix}/' (first) and 'prefix: {prefix}'",
            )
            return


def _validate_authority(route: HTTPRoute, path: FieldPath, findings: Findings) -> None:
    operations = route.headers.request if route.headers is not None else None
    given = [route.rewrite.authority] if route.rewrite is not None else []
    if operations is not None:
        for values in (operations.set, operations.add):
            given += [value for name, value in values.items() if name.lower() in _HOST_NAMES]
    # Istio counts an empty text as none where another one follows.
    if any(given[:-1]):
        findings.error(
            (*path, "headers", "request"),
            "the authority is set more than once (rewrite.authority, Host or :authority in set and add); keep one",
        )


def _validate_headers(headers: Headers, path: FieldPath, findings: Findings) -> None:
    if headers.request is not None:
        _validate_operations(headers.request, (*path, "request"), True, findings)
    if headers.response is not None:
        _validate_operations(headers.response, (*path, "response"), False, findings)


def _validate_operations(operations: HeaderOperations, path: FieldPath, request: bool, findings: Findings) -> None:
    for kind, values in (("set", operations.set), ("add", operations.add)):
        for name, value in values.items():
            here = (*path, kind, name)
            _validate_operation_name(name, here, request, findings)
            if problem := header_syntax_problem(value):
                findings.error(here, problem)
            elif problem := header_value_problem(value):
                findings.warning(
                    here, f"Envoy refuses all routes with this value: {problem}; it is sent as written here"
                )
    for index, name in enumerate(operations.remove):
        _validate_operation_name(name, (*path, "remove", index), False, findings)


def _validate_operation_name(name: str, path: FieldPath, host_allowed: bool, findings: Findings) -> None:
    at_key = isinstance(path[-1], str)
    if not name:
        findings.error(path, "a header's name cannot be empty", at_key=at_key)
    elif _CONTROL.search(name):
        findings.error(path, "a header's name cannot hold control characters", at_key=at_key)
    elif (name.startswith(":") or name.lower() == "host") and not (host_allowed and name.lower() in _HOST_NAMES):
        findings.error(path, f"{name!r:.80} cannot be changed here; use rewrite.authority for the host", at_key=at_key)


def _validate_retries(retries: HTTPRetry, path: FieldPath, findings: Findings) -> None:
    if retries.attempts < 0:
        findings.error((*path, "attempts"), f"must not be negative; it is {retries.attempts}")
    if retries.attempts == 0 and (
        retries.per_try_timeout is not None or retries.retry_on or retries.retry_remote_localities is not None
    ):
        findings.error(path, "has no attempts, so its other fields have no effect; set attempts, or remove them")
    check_duration(retries.per_try_timeout, (*path, "perTryTimeout"), findings)
    check_duration(retries.backoff, (*path, "backoff"), findings)
    for token in retries.retry_on.split(",") if retries.retry_on else ():
        if token not in RETRY_POLICIES and token.lstrip("+0") not in _STATUSES:
            spaces = " (Istio accepts no spaces here)" if token.strip() in RETRY_POLICIES | _STATUSES else ""
            findings.error((*path, "retryOn"), f"{token!r:.80} is not a retry policy nor an HTTP status{spaces}")
