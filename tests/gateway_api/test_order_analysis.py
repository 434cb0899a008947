"""Matches that no request reaches."""

# ruff: noqa: E501 - a row of a table is a line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.attachment import Attacher
from mirror_addon.gateway_api.order_analysis import find_unreached
from mirror_addon.istio.findings import Findings

Make = Callable[..., str]
BACKENDS = "backendRefs: [{name: a, port: 80}]"


def unreached(make: Make, resources: Any, *rules: str, kind: str = "HTTPRoute", hostnames: str = "[a.b]") -> list[str]:
    """`NAME PATH: MESSAGE` of each finding in one route for each text."""
    texts = [
        make(kind, f"{{parentRefs: [{{name: g}}], hostnames: {hostnames}, rules: {text}}}", name=f"r{index}")
        for index, text in enumerate(rules)
    ]
    read = resources(*texts)
    attacher = Attacher(read)
    findings = {id(item): Findings(item.document) for item in read}
    find_unreached([(item, attacher.attach(item)) for item in read], lambda item: findings[id(item)])
    return [f"{item.name} {each.path}: {each.message}" for item in read for each in findings[id(item)].diagnostics]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (["[{matches: [{path: {value: /a}}]}, {matches: [{path: {value: /b}}]}]"], []),
        (["[{matches: [{path: {value: /a}}]}]", "[{matches: [{path: {value: /a}, method: GET}]}]"], []),
        (
            ["[{matches: [{path: {value: /a}}]}, {matches: [{path: {value: /a/}}]}]"],
            [
                "r0 spec.rules[1].matches[0]: is never reached: HTTPRoute demo/r0 rules[0] has the same match; remove one"
            ],
        ),
        (
            [
                "[{matches: [{path: {value: /a}, headers: [{name: x, value: v}]}]}]",
                "[{matches: [{path: {value: /a}, headers: [{name: X, value: v}]}]}]",
            ],
            [
                "r1 spec.rules[0].matches[0]: is never reached: HTTPRoute demo/r0 rules[0] has the same match; remove one"
            ],
        ),
        (
            ["[{}, {matches: [{path: {type: RegularExpression, value: '/a.*'}}]}]"],
            [
                "r0 spec.rules[1].matches[0]: is never reached in Istio, nor here: regular expressions come after all prefixes, and HTTPRoute "
                "demo/r0 rules[0] matches everything; write prefixes, or narrow that one"
            ],
        ),
        (["[{matches: [{method: GET}]}, {matches: [{path: {type: RegularExpression, value: '/a.*'}}]}]"], []),
        (
            [
                "[{matches: [{path: {type: RegularExpression, value: '.*'}}]}, {matches: [{path: {type: RegularExpression, value: a}}]}]"
            ],
            ["r0 spec.rules[1].matches[0]: is never reached in Istio"],
        ),
        (
            ["[{}]", "[{}]"],
            [
                "r1 spec.rules[0].matches[0]: is never reached: HTTPRoute demo/r0 rules[0] matches everything before it; narrow that one"
            ],
        ),
        (
            ["[{}]", "[{matches: []}]"],
            [
                "r1 spec.rules[0]: is never reached: HTTPRoute demo/r0 rules[0] matches everything before it; narrow that one"
            ],
        ),
    ],
)
def test_http(rules: list[str], found: list[str], make: Make, resources: Any) -> None:
    said = unreached(make, resources, *rules)
    assert len(said) == len(found)
    assert all(each.startswith(expected) for each, expected in zip(said, found, strict=True)), said


def test_rules_without_matches(make: Make, resources: Any) -> None:
    (found,) = unreached(make, resources, "[{matches: []}]", "[{matches: []}]")
    assert found.startswith("r1 spec.rules[0]: is never reached: HTTPRoute demo/r0 rules[0] matches everything")


def test_several_hosts_are_reported_once(make: Make, resources: Any) -> None:
    assert len(unreached(make, resources, "[{}]", "[{}]", hostnames="[a.b, c.d]")) == 1


def test_grpc(make: Make, resources: Any) -> None:
    rules = (
        "[{matches: [{method: {service: a}}]}, {}, {matches: [{headers: [{name: x, value: v}]}]}, {matches: [{}]}, {}]"
    )
    said = unreached(make, resources, rules, kind="GRPCRoute")
    assert [each.partition(":")[0] for each in said] == ["r0 spec.rules[1]", "r0 spec.rules[4]"]
