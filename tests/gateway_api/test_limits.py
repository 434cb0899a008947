"""Limits of fields: each kind of limit once; the limits of each field are in the tests of the validation modules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated
from typing import Any

import pytest

from mirror_addon.gateway_api.limits import check_limits
from mirror_addon.gateway_api.limits import text_problem
from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map


@pytest.mark.parametrize(
    ("value", "limit", "problem"),
    [
        ("abc", Text(3), None),
        ("abcd", Text(3), "has at most 3 characters, this one has 4"),
        ("", Text(3), "must not be empty"),
        ("", Text(3, least=0), None),
        ("ab1", Text(3, re.compile("[a-z]+"), "a word"), "'ab1' is not a word"),
        ("ab\n", Text(3, re.compile("[a-z]+"), "a word"), "'ab\\n' is not a word"),
    ],
)
def test_texts(value: str, limit: Text, problem: str | None) -> None:
    assert text_problem(value, limit) == problem


class Example(GatewayMessage):
    texts: Annotated[Items[str], Count(2)] = ()
    unlimited: Items[str] = ()
    labels: Annotated[Map[str], Count(1)] = EMPTY_MAP


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"texts": ["a", "a"]}, []),
        ({"texts": ["a", "b", "c"]}, ["has at most 2 items; it has 3"]),
        ({"unlimited": ["a"] * 100}, []),
        ({"labels": {"a": "1", "b": "2"}}, ["has at most 1 items; it has 2"]),
        ({"labels": {"a": "1"}}, []),
    ],
)
def test_counts(fields: dict[str, Any], said: list[str], parse: Callable[..., ParsedRules], make: Any) -> None:
    (resource,) = parse(make("ReferenceGrant", "{}")).resources
    findings = Findings(resource.document)
    check_limits(Example.model_validate(fields), ("spec",), findings)
    assert [item.message for item in findings.diagnostics] == said


def test_a_wrong_value_is_not_missing_too(errors: Callable[[str, Any], list[str]]) -> None:
    (found, *rest) = errors("ReferenceGrant", "{from: [{group: a, kind: B, namespace: 5}], to: [{group: '', kind: C}]}")
    assert found == "spec.from[0].namespace: must be text; it is the number 5: put it in quotes"
    assert rest == []
