"""CORS and fault injection as per-route configuration of Envoy's filters (`CorsPolicy`, `HTTPFault`)."""

from __future__ import annotations

from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import fraction
from mirror_addon.envoy.values import string_matcher
from mirror_addon.envoy.values import typed
from mirror_addon.istio.resources.virtual_service import CorsPolicy
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.cors import allowed_origins
from mirror_addon.routing.faults import Fault
from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.routes import CompiledRoute

_FAULT, _CORS = "envoy.filters.http.fault", "envoy.filters.http.cors"


def http_filters() -> list[Message]:
    """Return the filters in Istio's order. They act only where a route configures them; the router follows."""
    return [
        {"name": _FAULT, "typed_config": typed("extensions.filters.http.fault.v3.HTTPFault")},
        {"name": _CORS, "typed_config": typed("extensions.filters.http.cors.v3.Cors")},
    ]


def per_route(route: CompiledRoute, notes: Notes) -> Message:
    """Return a route's `typed_per_filter_config`."""
    configs: Message = {}
    if route.fault is not None:
        configs[_FAULT] = _fault(route.fault, str(route.rule.rule), notes)
    if route.cors is not None and route.http.cors_policy is not None:
        configs[_CORS] = _cors(route.http.cors_policy)
    return configs


def _fault(fault: Fault, rule: str, notes: Notes) -> Message:
    fields: Message = {}
    if fault.delay.numerator:
        fields["delay"] = {"fixed_delay": duration(fault.seconds), "percentage": fraction(fault.delay)}
    if fault.abort.numerator:
        abort: Message = {"percentage": fraction(fault.abort)}
        if fault.grpc_status is not None:
            abort["grpc_status"] = fault.grpc_status
        else:
            abort["http_status"] = fault.http_status
        if 200 <= (fault.http_status or 200) < 600:
            fields["abort"] = abort
        else:
            notes.add(f"{rule}: Envoy cannot abort with status {fault.http_status}; it is left out")
    return typed("extensions.filters.http.fault.v3.HTTPFault", **fields)


def _cors(policy: CorsPolicy) -> Message:
    fields: Message = {
        "allow_origin_string_match": [
            matcher
            for origin in allowed_origins(policy)
            if not (origin.regex is not None and Regex(origin.regex).error)
            and (matcher := string_matcher(origin) or _any_origin(origin)) is not None
        ],
        "forward_not_matching_preflights": policy.unmatched_preflights != "IGNORE",
    }
    for name in ("allow_methods", "allow_headers", "expose_headers"):
        if values := getattr(policy, name):
            fields[name] = ",".join(values)
    if policy.max_age is not None:
        fields["max_age"] = str(int(policy.max_age))
    if policy.allow_credentials is not None:
        fields["allow_credentials"] = policy.allow_credentials
    return typed("extensions.filters.http.cors.v3.CorsPolicy", **fields)


def _any_origin(match: StringMatch) -> Message | None:
    """Return the matcher of an empty prefix, which allows every origin; None for an empty match, which allows none."""
    return {"safe_regex": {"regex": ".*"}} if match.prefix is not None else None
