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


CLIENT = Identity(gateways=("mesh",), labels=(("app", "web"),))


def rules_of(*specs: str, identity: Identity = CLIENT) -> DestinationRules:
    """DestinationRules for a.com in namespace default; each has a subset with the name of its number."""
    text = "\n---\n".join(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: r{number}, namespace: default}}\n"
        f"spec: {{host: a.com, subsets: [{{name: s{number}}}]{spec}}}"
        for number, spec in enumerate(specs)
    )
    return DestinationRules(parse_sources([Source("r.yaml", text.encode())]).resources, identity)


WEB, API = (f", workloadSelector: {{matchLabels: {{app: {app}}}}}" for app in ("web", "api"))


@pytest.mark.parametrize(
    ("specs", "subsets"),
    [
        (["", ""], ["s0", "s1"]),
        (["", ", exportTo: ['.']"], ["s1"]),  # of rules that are not merged the last counts
        ([", exportTo: ['.']", ", exportTo: ['.']"], ["s0", "s1"]),
        ([", exportTo: ['.']", ", exportTo: ['.', x]"], ["s0", "s1"]),  # the second is for more namespaces
        ([", exportTo: ['.', x]", ", exportTo: ['.']"], ["s1"]),
        ([WEB, WEB], ["s0", "s1"]),
        ([WEB, API], ["s0"]),
        ([API, ""], ["s1"]),
        ([WEB, ""], ["s0"]),
        ([API], None),
        ([WEB, ", exportTo: ['.']"], ["s0", "s1"]),  # merged into the one with a selector
    ],
)
def test_rules_of_one_host_and_namespace(specs: list[str], subsets: list[str] | None) -> None:
    rule = rules_of(*specs).find("a.com", "default")
    assert (rule and list(rule.subsets)) == subsets


def test_the_oldest_comes_first() -> None:
    text = "\n---\n".join(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: r{year}, namespace: default, creationTimestamp: '{year}-01-01T00:00:00Z'}}\n"
        f"spec: {{host: a.com, trafficPolicy: {{loadBalancer: {{simple: {simple}}}}}}}"
        for year, simple in ((2021, "RANDOM"), (2020, "ROUND_ROBIN"))
    )
    rules = DestinationRules(parse_sources([Source("r.yaml", text.encode())]).resources, Identity())
    rule = rules.find("a.com", "default")
    assert rule is not None
    assert Policy().overlaid(rule.policy, 80).balancer == "ROUND_ROBIN"
