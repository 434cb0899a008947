from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import HashPolicy
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.traffic_policies import DestinationRules
from mirror_addon.routing.traffic_policies import Policy


def policy(fields: dict[str, Any], port: int = 80) -> Policy:
    return Policy().overlaid(TrafficPolicy.model_validate(fields), port)


def test_settings_of_a_port_replace_all_blocks() -> None:
    fields = {
        "loadBalancer": {"simple": "RANDOM"},
        "tls": {"mode": "SIMPLE"},
        "portLevelSettings": [{"port": {"number": 81}, "loadBalancer": {"simple": "ROUND_ROBIN"}}, {"tls": {}}],
    }
    assert (policy(fields).balancer, policy(fields).client_tls(())) == ("RANDOM", TLS())
    assert (policy(fields, 81).balancer, policy(fields, 81).client_tls(())) == ("ROUND_ROBIN", None)


def test_a_more_specific_policy_replaces_single_blocks() -> None:
    base = policy({"loadBalancer": {"simple": "RANDOM"}, "connectionPool": {"tcp": {"connectTimeout": "1s"}}})
    over = base.overlaid(TrafficPolicy.model_validate({"loadBalancer": {"simple": "UNSPECIFIED"}}), 80)
    assert (over.balancer, over.connect_timeout) == ("LEAST_REQUEST", 1.0)
    assert base.overlaid(None, 80) is base


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ({"mode": "DISABLE"}, None),
        ({"mode": "ISTIO_MUTUAL"}, None),
        ({"mode": "SIMPLE", "clientCertificate": "c", "privateKey": "k"}, TLS(subject_alt_names=("e",))),
        (
            {"mode": "MUTUAL", "clientCertificate": "c", "privateKey": "k", "subjectAltNames": ["r"]},
            TLS("", "", "c", "k", ("r",)),
        ),
    ],
)
def test_client_tls(tls: dict[str, Any], expected: TLS | None) -> None:
    assert policy({"tls": tls}).client_tls(["e"]) == expected


@pytest.mark.parametrize(
    ("consistent", "expected"),
    [
        ({"httpHeaderName": "h"}, HashPolicy("header", "h")),
        ({"httpQueryParameterName": "q"}, HashPolicy("query", "q")),
        ({"useSourceIp": True}, HashPolicy("source")),
        ({"httpCookie": {"name": "c", "ttl": "0s"}}, HashPolicy("cookie", "c", 0.0)),
        ({}, None),
    ],
)
def test_hash_policy(consistent: dict[str, Any], expected: HashPolicy | None) -> None:
    assert policy({"loadBalancer": {"consistentHash": consistent}}).hash_policy == expected


def test_http2_and_defaults() -> None:
    assert policy({"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE"}}}).upgrades_to_http2
    assert not policy({"connectionPool": {"tcp": {}}}).upgrades_to_http2
    assert (policy({}).connect_timeout, policy({}).hash_policy, policy({}).upgrades_to_http2) == (None, None, False)


RULES = [
    ("other", "a.com"),
    ("other", "*.a.com"),
    ("other", "*.com"),
    ("default", "b.com"),
    ("istio-system", "c.com"),
]


@pytest.mark.parametrize(
    ("host", "namespace", "subsets"),
    [
        ("a.com", "other", ["s0"]),
        ("x.a.com", "other", ["s1"]),
        ("x.com", "other", ["s2"]),
        ("a.com", None, None),
        ("b.com", "other", ["s3"]),
        ("c.com", None, ["s4"]),
    ],
)
def test_which_rule_is_found(host: str, namespace: str | None, subsets: list[str] | None) -> None:
    text = "\n---\n".join(
        f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: r{number}, namespace: {of}}}
spec: {{host: "{name}", subsets: [{{name: s{number}}}]}}
"""
        for number, (of, name) in enumerate(RULES)
    )
    found = DestinationRules(parse_sources([Source("r.yaml", text.encode())]).resources, Identity())
    rule = found.find(host, namespace)
    assert (rule and list(rule.subsets)) == subsets
