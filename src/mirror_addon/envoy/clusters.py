"""Clusters as Envoy's Cluster messages, with Istio's names (`outbound|PORT|SUBSET|HOST`) and defaults."""

from __future__ import annotations

from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import endpoint_address
from mirror_addon.envoy.values import typed
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.names import is_address

ORIGINAL = "original_destination"
"""The cluster that dials the address in Host.

Without iptables Envoy does not know a connection's original destination, so a dynamic forward proxy takes its place.
"""

_CONNECT_TIMEOUT = 10.0
"""Istio's default in seconds (MeshConfig `connectTimeout`)."""
_NO_LIMIT = 2**32 - 1
_SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian, Ubuntu and Istio's proxy image keep the system's certificate authorities."""
_DNS_CACHE = {"name": ORIGINAL, "dns_lookup_family": "V4_PREFERRED"}


class UsedClusters:
    """The clusters that routes use. Each is translated once."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._messages: dict[str, Message] = {}
        self.incomplete = False
        """Routes name clusters that do not exist, which Envoy must not take as an error."""

    def destination(self, cluster: Cluster, missing_status: int = 503) -> str:
        """Return the name of a destination's cluster.

        Envoy responds with 503 where it has no endpoints, and with `missing_status` where there is no such cluster: one
        that does not exist is made only for a status of 503.
        """
        if cluster.resolves_request_host:
            self._notes.add(f"{cluster.label}: DYNAMIC_DNS is exported as the address and port in the client's Host")
            return self.original(secure=cluster.tls)
        if ORIGINAL_DESTINATION in cluster.endpoints:
            return self.original(secure=cluster.tls)
        if not cluster.exists and missing_status != 503:
            self._notes.add(f"{cluster.missing}; exported as {missing_status}")
            self.incomplete = True
            return f"missing|{cluster.port}||{cluster.host}"
        if cluster.missing:
            self._notes.add(f"{cluster.missing}; exported as 503")
        return self._add(cluster.outbound, cluster, None)

    def mirror(self, cluster: Cluster) -> str:
        """Return the name of a mirror's cluster.

        Without an `sni` Envoy would take it from Host, which has the suffix in a shadow (istio#39858). Such a cluster
        is exported once more, with its own host name as `sni`.
        """
        if cluster.tls is None or cluster.tls.sni:
            return self._add(cluster.outbound, cluster, None)
        return self._add(f"mirror|{cluster.port}|{cluster.subset}|{cluster.host}", cluster, cluster.host)

    def original(self, secure: TLS | None = None) -> str:
        """Return the name of the cluster that dials the address in Host."""
        name = ORIGINAL if secure is None else f"{ORIGINAL}_tls"
        message: Message = {
            "name": name,
            "lb_policy": "CLUSTER_PROVIDED",
            "connect_timeout": duration(_CONNECT_TIMEOUT),
            "cluster_type": {
                "name": "envoy.clusters.dynamic_forward_proxy",
                "typed_config": typed(
                    "extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", dns_cache_config=_DNS_CACHE
                ),
            },
            "circuit_breakers": _unlimited(),
        }
        if secure is not None:
            message["transport_socket"] = _transport_socket(secure, None, http2=False)
            message |= _protocol(secure, http2=False, name=None)
        self._messages[name] = message
        return name

    def messages(self) -> list[Message]:
        """Return all cluster messages, sorted by name."""
        return [self._messages[name] for name in sorted(self._messages)]

    def _add(self, name: str, cluster: Cluster, server_name: str | None) -> str:
        if name not in self._messages:
            self._messages[name] = _message(name, cluster, server_name)
        return name


def forward_proxy_filter() -> Message:
    """Return the HTTP filter that resolves Host for the clusters that dial it."""
    return {
        "name": "envoy.filters.http.dynamic_forward_proxy",
        "typed_config": typed(
            "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig", dns_cache_config=_DNS_CACHE
        ),
    }


def _message(name: str, cluster: Cluster, server_name: str | None) -> Message:
    addresses = [endpoint.address for endpoint in cluster.endpoints]
    resolved = all(address.startswith("unix:") or is_address(address) for address in addresses)
    http2 = cluster.is_http2
    message: Message = {
        "name": name,
        "type": "STATIC" if resolved else "STRICT_DNS",
        "connect_timeout": duration(cluster.connect_timeout or _CONNECT_TIMEOUT),
        "lb_policy": "RING_HASH" if cluster.hash_policy else cluster.balancer,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {"address": endpoint_address(endpoint)},
                            "load_balancing_weight": endpoint.weight,
                        }
                        for endpoint in cluster.endpoints
                    ]
                }
            ],
        },
        "circuit_breakers": _unlimited(),
    }
    if not resolved:
        message["dns_lookup_family"] = "V4_PREFERRED"
    if cluster.tls is not None:
        message["transport_socket"] = _transport_socket(cluster.tls, server_name, http2)
    return message | _protocol(cluster.tls, http2, server_name)


def _protocol(tls: TLS | None, http2: bool, name: str | None) -> Message:
    options: Message = {}
    if tls is not None and not tls.sni and name is None:
        # Istio (cluster_tls.go): without `sni` the name comes from Host, and the certificate must be valid for it.
        options["upstream_http_protocol_options"] = {"auto_sni": True}
        if not tls.subject_alt_names and not tls.insecure_skip_verify:
            options["upstream_http_protocol_options"]["auto_san_validation"] = True
    if not http2 and not options:
        return {}
    kind = "http2_protocol_options" if http2 else "http_protocol_options"
    options["explicit_http_config"] = {kind: {}}
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "extensions.upstreams.http.v3.HttpProtocolOptions", **options
            )
        }
    }


def _transport_socket(tls: TLS, server_name: str | None, http2: bool) -> Message:
    common: Message = {"alpn_protocols": ["h2"] if http2 else ["http/1.1"]}
    if tls.client_certificate:
        common["tls_certificates"] = [
            {
                "certificate_chain": {"filename": tls.client_certificate},
                "private_key": {"filename": tls.private_key},
            }
        ]
    sni = tls.sni or server_name
    if not tls.insecure_skip_verify:
        authorities = (
            {"inline_string": tls.ca_pem} if tls.ca_pem else {"filename": tls.ca_certificates or _SYSTEM_ROOTS}
        )
        validation: Message = {"trusted_ca": authorities}
        names = tls.subject_alt_names or ((sni,) if sni else ())
        if names:
            validation["match_typed_subject_alt_names"] = [
                {"san_type": "IP_ADDRESS" if is_address(name) else "DNS", "matcher": {"exact": name}} for name in names
            ]
        common["validation_context"] = validation
    fields: Message = {"common_tls_context": common}
    if sni and not is_address(sni):
        fields["sni"] = sni
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed("extensions.transport_sockets.tls.v3.UpstreamTlsContext", **fields),
    }


def _unlimited() -> Message:
    """Return Istio's default thresholds, no limits; Envoy's own default is 1024."""
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {"thresholds": [dict.fromkeys(limits, _NO_LIMIT)]}
