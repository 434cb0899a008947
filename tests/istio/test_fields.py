from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.istio.composing import compose
from mirror_addon.istio.fields import conform
from mirror_addon.istio.fields import describe
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.fields import text_problem
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.istio.resources.virtual_service import HTTPRoute


def conformed(message: type[Message], value: Any) -> tuple[Any, bool, list[str]]:
    findings = Findings(compose("f", b"{}")[0][0].document)
    cleaned, well_typed = conform(message, value, (), findings)
    return cleaned, well_typed, [f"{item.path}: {item.message}" for item in findings.diagnostics]


def test_what_fits_is_kept() -> None:
    value = {
        "name": "a",
        "match": [{"headers": {"x": {"exact": "y"}}, "ignoreUriCase": True}],
        "mirror": {"host": "b", "port": {"number": 80}},
        "mirrorPercentage": {"value": 1},
        "timeout": "1s",
        "directResponse": {"status": 200, "body": {"bytes": "eA=="}},
    }
    assert conformed(HTTPRoute, value) == (value, True, [])


@pytest.mark.parametrize(
    ("value", "kept", "message"),
    [
        ({"name": 5}, {}, "name: must be text; it is the number 5: put it in quotes"),
        ({"name": [1]}, {}, "name: must be text; it is a list"),
        ({"mirrorPercent": True}, {}, "mirrorPercent: must be a whole number; it is true"),
        ({"mirrorPercent": 2**32}, {}, "mirrorPercent: must be a whole number from 0 to 4294967295; it is 4294967296"),
        ({"mirrorPercentage": {"value": float("nan")}}, {"mirrorPercentage": {}}, "must be a finite number; it is nan"),
        ({"mirrorPercentage": {"value": "x"}}, {"mirrorPercentage": {}}, "must be a number; it is the text 'x'"),
        ({"timeout": "soon"}, {}, "timeout: 'soon' is not a duration"),
        ({"directResponse": {"body": {"bytes": "?"}}}, {"directResponse": {"body": {}}}, "'?' is not base64"),
        ({"directResponse": {"body": {"bytes": 1}}}, {"directResponse": {"body": {}}}, "1 is not base64"),
        ({"redirect": {"derivePort": 5}}, {"redirect": {}}, "it is the number 5: known: FROM_PROTOCOL_DEFAULT, FROM_"),
        ({"match": {}}, {}, "match: must be a list; it is a mapping: write '- ' before each item"),
        ({"match": [5]}, {"match": []}, "match[0]: must be a mapping with the fields name, uri"),
        ({"headers": {"request": {"set": []}}}, {"headers": {"request": {}}}, "must be a mapping of names to values"),
        ({"headers": {"request": {"set": {"a": 1, "b": "c"}}}}, {"headers": {"request": {"set": {"b": "c"}}}}, "set.a"),
    ],
)
def test_wrong_types_are_reported_and_left_out(value: Any, kept: Any, message: str) -> None:
    cleaned, well_typed, messages = conformed(HTTPRoute, value)
    assert (cleaned, well_typed) == (kept, False)
    assert len(messages) == 1 and message in messages[0]


def test_no_mapping_at_all() -> None:
    cleaned, well_typed, messages = conformed(HTTPRoute, "text")
    assert (cleaned, well_typed, len(messages)) == ({}, False, 1)


def test_unknown_fields_are_left_out_and_well_typed() -> None:
    cleaned, well_typed, messages = conformed(HTTPRoute, {"miror": 1, "name": "a"})
    assert (cleaned, well_typed) == ({"name": "a"}, True)
    assert messages == ["miror: unknown field; did you mean 'mirror'?"]


def test_null_is_absent_or_empty() -> None:
    value = {"name": None, "match": None, "mirrors": [None], "headers": {"request": {"set": None}}}
    assert conformed(HTTPRoute, value) == (
        {"match": [], "mirrors": [{}], "headers": {"request": {"set": {}}}},
        True,
        [],
    )
    assert conformed(HTTPRoute, {"match": [{"headers": {"x": None}}]})[0] == {"match": [{"headers": {"x": {}}}]}


def test_snake_case() -> None:
    cleaned, _, messages = conformed(HTTPRoute, {"mirror_percent": 5, "cors_policy": {}})
    assert cleaned == {"mirrorPercent": 5, "corsPolicy": {}}
    assert messages == ["cors_policy: a real API server drops this spelling; write 'corsPolicy' to have it there too"]
    cleaned, _, messages = conformed(HTTPRoute, {"mirror_percent": 5, "mirrorPercent": 7})
    assert cleaned == {"mirrorPercent": 7}
    assert messages == ["mirror_percent: 'mirrorPercent' is set too and takes precedence; remove this one"]


def test_a_keyword_as_field() -> None:
    setting = {"trafficPolicy": {"loadBalancer": {"localityLbSetting": {"failover": [{"from": "a", "from_": "b"}]}}}}
    _, _, messages = conformed(DestinationRuleSpec, setting)
    assert len(messages) == 1 and "from_: unknown field" in messages[0]


def test_ranges_inside_a_map() -> None:
    cleaned, well_typed, messages = conformed(WorkloadEntrySpec, {"ports": {"a": -1, "b": 80}})
    assert (cleaned, well_typed) == ({"ports": {"b": 80}}, False)
    assert messages == ["ports.a: must be a whole number from 0 to 4294967295; it is -1"]


@pytest.mark.parametrize(("port", "good"), [(80, True), ("web", True), (1.5, False), (True, False), ([], False)])
def test_a_port_by_number_or_name(port: Any, good: bool) -> None:
    _, well_typed, messages = conformed(KubernetesServiceSpec, {"ports": [{"targetPort": port}], "ignored": 1})
    assert well_typed is good
    assert good or "must be a whole number or a name" in messages[0]


def test_descriptions() -> None:
    values = [None, True, False, 5, 1.5, "x", "x" * 50, [], {}]
    assert [describe(value) for value in values] == [
        "null",
        "true",
        "false",
        "the number 5",
        "the number 1.5",
        "the text 'x'",
        f"the text '{'x' * 40}'...",
        "a list",
        "a mapping",
    ]
    assert text_problem({}) == "must be text; it is a mapping"


def test_the_nearest_name() -> None:
    assert nearest("mirror_percent", ["mirrorPercent", "mirror"]) == "did you mean 'mirrorPercent'?"
    assert nearest("zzz", ["b", "a"]) == "known are: a, b"
