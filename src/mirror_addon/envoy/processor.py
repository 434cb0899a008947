"""The filter that shows each exchange to a processor, and the clusters of the processors.

Envoy's external processing filter in observability mode: copies of both directions go to a gRPC server, whose answers
are ignored (`envoy/extensions/filters/http/ext_proc/v3/ext_proc.proto`). Three settings keep the client from noticing:

- `failure_mode_allow`: without it, a processor that is absent makes every request a 500, observability mode or not.
- HTTP/2 keepalive in the cluster: a processor that stops reading would hold up large bodies for ever, because the
  stream has flow control. Its connection is closed after two seconds.
- `max_requests` of the cluster: streams beyond it are not opened, and counted as `upstream_rq_active_overflow`.

The filter stands directly before the router, after all that refuses requests, and is off except on routes that have a
mirror. It is wrapped in a Composite filter, whose `sample_percent` can be changed while Envoy runs and needs no header
field (a `RuntimeFraction` of x-request-id would need one on every request).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import socket_address
from mirror_addon.envoy.values import typed
from mirror_addon.routing.names import is_address

FILTER = "envoy.filters.http.ext_proc"
SHARE_KEY = "mirror_addon.share"
"""The runtime key of the share of exchanges that Envoy copies, in percent."""
SHARE_HEADER = "x-mirror-share"
"""The field of the gRPC call that tells a processor this share, as it was exported."""
BY_ADDRESS = "address"
"""The value of `by_client` that stands for the client's IP address."""

_AUTHORITY = "mirror-processor"
_CONNECT_TIMEOUT = 1.0
_KEEPALIVE = 1.0
_DEFERRED_CLOSE = 1.0
"""Seconds; 0 would lose the end of nearly every exchange."""
_MAX_REQUESTS = 4096
_SEED = 0
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Processors:
    """The processors that Envoy sends copies to.

    `addresses`: host and port of each. `share`: the percentage of exchanges that is copied, of those that the rules
    mirror. `by_client`: what tells clients apart, so that all exchanges of one go to the same processor: `address`, or
    the name of a header field; empty: any processor may get them.
    """

    addresses: tuple[tuple[str, int], ...]
    share: float = 100.0
    by_client: str = ""

    @property
    def keeps_clients(self) -> bool:
        return bool(self.by_client) and len(self.addresses) > 1


def processor_filter(processors: Processors) -> Message:
    """Return the HTTP filter, which is off; `on` in a route's `typed_per_filter_config` turns it on."""
    actions = [
        sampled_action(external_processor(name, processors.share), processors.share) for name in _names(processors)
    ]
    matcher: Message = {"on_no_match": {"action": actions[-1]}}
    if len(actions) > 1:
        matcher = {"matcher_list": {"matchers": _slices(actions[:-1], processors.by_client)}, **matcher}
    return {"name": FILTER, "disabled": True, "typed_config": composite(matcher)}


def on() -> Message:
    """Return the configuration of a route on which the filter acts."""
    return typed("config.route.v3.FilterConfig", config={})


def composite(matcher: Message) -> Message:
    """Return a Composite filter that does what a matcher says; it does nothing for requests that the matcher lacks."""
    inner = {"name": "composite", "typed_config": typed("extensions.filters.http.composite.v3.Composite")}
    return typed("extensions.common.matching.v3.ExtensionWithMatcher", extension_config=inner, xds_matcher=matcher)


def sampled_action(processor: Message, share: float) -> Message:
    """Return the matcher's action that shows a share of the exchanges to a processor."""
    return {
        "name": "mirror",
        "typed_config": typed(
            "extensions.filters.http.composite.v3.ExecuteFilterAction",
            typed_config={"name": FILTER, "typed_config": processor},
            sample_percent={
                "default_value": {"numerator": round(share * 10_000), "denominator": "MILLION"},
                "runtime_key": SHARE_KEY,
            },
        ),
    }


def external_processor(cluster: str, share: float, authority: str = _AUTHORITY) -> Message:
    """Return the filter's own configuration, with a processor in `cluster`."""
    return typed(
        "extensions.filters.http.ext_proc.v3.ExternalProcessor",
        observability_mode=True,
        failure_mode_allow=True,
        deferred_close_timeout=duration(_DEFERRED_CLOSE),
        grpc_service={
            "envoy_grpc": {"cluster_name": cluster, "authority": authority},
            "initial_metadata": [{"key": SHARE_HEADER, "value": f"{share:g}"}],
        },
        processing_mode={
            "request_header_mode": "SEND",
            "response_header_mode": "SEND",
            "request_body_mode": "STREAMED",
            "response_body_mode": "STREAMED",
            "request_trailer_mode": "SEND",
            "response_trailer_mode": "SEND",
        },
        request_attributes=["request.protocol", "source.address", "xds.route_name", "xds.cluster_name"],
        response_attributes=["response.code_details", "response.flags", "xds.cluster_name", "upstream.address"],
    )


def http2_with_keepalive() -> Message:
    """Return the `typed_extension_protocol_options` of a processor's cluster."""
    keepalive = {"interval": duration(_KEEPALIVE), "timeout": duration(_KEEPALIVE)}
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {"connection_keepalive": keepalive}},
        )
    }


def processor_clusters(processors: Processors) -> list[Message]:
    """Return the cluster of all processors, or one for each where they are told apart by client."""
    names = _names(processors)
    if len(names) == 1:
        return [_cluster(names[0], processors.addresses)]
    return [_cluster(name, (address,)) for name, address in zip(names, processors.addresses, strict=True)]


def _names(processors: Processors) -> list[str]:
    if not processors.keeps_clients:
        return ["mirror_processor"]
    return [f"mirror_processor_{number}" for number in range(1, len(processors.addresses) + 1)]


def _slices(actions: Sequence[Message], by_client: str) -> list[Message]:
    """Return matchers that give each action an equal part of the clients; what is left goes to the last one.

    Each tests the same hash against a greater bound, so that a client is always in the same part. A ring hash in the
    cluster would not do: the stream to a processor does not have the route's hash policy.
    """
    found = []
    for number, action in enumerate(actions, 1):
        fraction = {
            "default_value": {
                "numerator": number * _MILLION // (len(actions) + 1),
                "denominator": "MILLION",
            },
            "runtime_key": f"mirror_addon.clients.{number}",
        }
        test = typed(
            "extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction",
            runtime_fraction=fraction,
            seed=_SEED,
        )
        predicate = {"input": _client(by_client), "custom_match": {"name": "runtime_fraction", "typed_config": test}}
        found.append({"predicate": {"single_predicate": predicate}, "on_match": {"action": action}})
    return found


def _client(by_client: str) -> Message:
    if by_client == BY_ADDRESS:
        return {"name": "client", "typed_config": typed("extensions.matching.common_inputs.network.v3.SourceIPInput")}
    field = typed("type.matcher.v3.HttpRequestHeaderMatchInput", header_name=by_client)
    return {"name": "client", "typed_config": field}


def _cluster(name: str, addresses: Sequence[tuple[str, int]]) -> Message:
    resolved = all(is_address(host) for host, _ in addresses)
    message: Message = {
        "name": name,
        "type": "STATIC" if resolved else "STRICT_DNS",
        "connect_timeout": duration(_CONNECT_TIMEOUT),
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": socket_address(*address)}} for address in addresses]}
            ],
        },
        "circuit_breakers": {"thresholds": [{"max_requests": _MAX_REQUESTS}]},
        "typed_extension_protocol_options": http2_with_keepalive(),
    }
    if not resolved:
        message["dns_lookup_family"] = "V4_PREFERRED"
    if len(addresses) > 1 or not resolved:
        # One that drains or has stopped gets no more streams. Where none answers, all are used (Envoy's panic mode).
        second = duration(1)
        message["health_checks"] = [
            {
                "timeout": second,
                "interval": second,
                "no_traffic_interval": second,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "grpc_health_check": {},
            }
        ]
    return message
