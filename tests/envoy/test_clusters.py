from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.envoy.clusters import UsedClusters
from mirror_addon.envoy.notes import Notes
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.clusters import HashPolicy

ONE = (Endpoint("127.0.0.1", 1),)


def message(cluster: Cluster, *, mirror: bool = False) -> dict[str, Any]:
    used = UsedClusters(Notes())
    name = used.mirror(cluster) if mirror else used.destination(cluster)
    (found,) = [message for message in used.messages() if message["name"] == name]
    return found


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (("127.0.0.1", "::1", "unix:///x"), "STATIC"),
        (("127.0.0.1", "localhost"), "STRICT_DNS"),
        ((), "STATIC"),
    ],
)
def test_how_endpoints_are_found(addresses: tuple[str, ...], kind: str) -> None:
    cluster = Cluster("h", "s", 80, tuple(Endpoint(address, 1) for address in addresses))
    assert message(cluster)["type"] == kind
    assert ("dns_lookup_family" in message(cluster)) is (kind == "STRICT_DNS")


def test_endpoints_and_weights() -> None:
    cluster = Cluster("h", "s", 80, (Endpoint("::1", 1, weight=3), Endpoint("unix:///run/x", 0)))
    found = message(cluster)
    assert found["name"] == "outbound|80|s|h"
    assert found["load_assignment"]["endpoints"][0]["lb_endpoints"] == [
        {
            "endpoint": {"address": {"socket_address": {"address": "::1", "port_value": 1}}},
            "load_balancing_weight": 3,
        },
        {"endpoint": {"address": {"pipe": {"path": "/run/x"}}}, "load_balancing_weight": 1},
    ]


def test_balancers_and_timeouts() -> None:
    assert message(Cluster("h", "", 80, ONE))["lb_policy"] == "LEAST_REQUEST"
    assert message(Cluster("h", "", 80, ONE, balancer="RANDOM"))["lb_policy"] == "RANDOM"
    assert message(Cluster("h", "", 80, ONE, hash_policy=HashPolicy("source")))["lb_policy"] == "RING_HASH"
    assert message(Cluster("h", "", 80, ONE))["connect_timeout"] == "10s"
    assert message(Cluster("h", "", 80, ONE, connect_timeout=0.5))["connect_timeout"] == "0.5s"


@pytest.mark.parametrize(("protocol", "http2"), [("http", False), ("http2", True), ("grpc", True), ("https", False)])
def test_http2(protocol: str, http2: bool) -> None:
    options = message(Cluster("h", "", 80, ONE, protocol=protocol)).get("typed_extension_protocol_options", {})
    assert ("http2_protocol_options" in str(options)) is http2


def tls_of(found: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = found["transport_socket"]["typed_config"]
    return config


def test_tls_without_sni_asks_for_the_requests_host() -> None:
    found = message(Cluster("h.test", "", 443, ONE, tls=TLS()))
    assert "sni" not in tls_of(found)
    assert "auto_sni" in str(found["typed_extension_protocol_options"])
    assert "auto_san_validation" in str(found["typed_extension_protocol_options"])


def test_tls_to_a_mirror_asks_for_the_clusters_name() -> None:
    found = message(Cluster("h.test", "", 443, ONE, tls=TLS()), mirror=True)
    assert found["name"] == "mirror|443||h.test"
    assert tls_of(found)["sni"] == "h.test"
    assert "auto_sni" not in str(found)
    (name,) = tls_of(found)["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert name == {"san_type": "DNS", "matcher": {"exact": "h.test"}}


def test_certificates_without_a_file() -> None:
    context = tls_of(message(Cluster("h", "", 443, ONE, tls=TLS("s.test", ca_pem="PEM"))))["common_tls_context"]
    assert context["validation_context"]["trusted_ca"] == {"inline_string": "PEM"}


def test_tls_files_and_names() -> None:
    tls = TLS("s.test", "ca.pem", "cert.pem", "key.pem", ("a.test", "10.0.0.1"))
    context = tls_of(message(Cluster("h", "", 443, ONE, tls=tls), mirror=True))["common_tls_context"]
    assert context["validation_context"]["trusted_ca"] == {"filename": "ca.pem"}
    assert [name["san_type"] for name in context["validation_context"]["match_typed_subject_alt_names"]] == [
        "DNS",
        "IP_ADDRESS",
    ]
    assert context["tls_certificates"][0]["private_key"] == {"filename": "key.pem"}


def test_insecure_tls_checks_nothing() -> None:
    found = message(Cluster("h", "", 443, ONE, tls=TLS(insecure_skip_verify=True)))
    assert "validation_context" not in str(found)
    assert "auto_san_validation" not in str(found)


def test_an_original_destination_is_what_host_names() -> None:
    found = message(Cluster("h", "", 80, (ORIGINAL_DESTINATION,)))
    assert found["cluster_type"]["name"] == "envoy.clusters.dynamic_forward_proxy"


def test_dynamic_dns_is_what_host_names_and_is_noted() -> None:
    notes = Notes()
    cluster = Cluster("*.test", "", 443, (), tls=TLS(), label="any", resolves_request_host=True)
    assert UsedClusters(notes).destination(cluster) == "original_destination_tls"
    (note,) = notes
    assert note.startswith("any: DYNAMIC_DNS")
