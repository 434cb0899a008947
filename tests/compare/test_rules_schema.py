from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from mirror_addon.compare import rules_file
from mirror_addon.compare.path_rule import RulesError
from mirror_addon.compare.rules_file import read_rules
from mirror_addon.compare.rules_schema import RULES_SCHEMA

KEYS = (*rules_file._WHERE, *rules_file._WHAT, rules_file._ACCEPTED, *rules_file._WHOSE)
VALIDATOR = Draft7Validator(RULES_SCHEMA)
FULL = """
# yaml-language-server: $schema=./compare.schema.json
rules:
  - {path: $.a, ignore: true}
  - {path: [$.b, status, 'header:X-*'], presence: yes, endpoint: 'GET /users/{id}'}
  - {header: X-Build, regex: v\\d+, method: [get, HEAD], url: ^http://h/}
  - {path: $.c, tolerance: 0.5, method: POST}
  - {path: $.d, tolerance: 1%}
  - {path: $.e, tolerance: {absolute: 2, relative: 5%}, endpoint: POST /graphql GetUser}
  - {path: $.f, unordered: true}
  - {path: $.g, unordered: {key: id}}
  - {path: $.h, ignore: 'Off'}
  - {header: X-Number, regex: 5}
  - {path: $.tax, accepted: f69d1514f}
  - {path: $.tax, accepted: [f69d1514f, f0123abcd], ignore: false}
noise: {shapes: false, relative: 10%, absolute: 0.1%}
"""


def accepted(text: str) -> bool:
    return VALIDATOR.is_valid(yaml.safe_load(text))


def test_it_is_a_schema_of_draft_07() -> None:
    Draft7Validator.check_schema(RULES_SCHEMA)


@pytest.mark.parametrize("text", [FULL, "", "# nothing\n", "rules:\n", "rules: []\nnoise: {}\n", "noise:\n"])
def test_what_can_be_read(text: str) -> None:
    read_rules(text, "compare.yaml")
    assert accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "rulez: []",
        "rules: {}",
        "rules: [{path: $.a}]",
        "rules: [{path: $.a, ignore: true, presence: true}]",
        "rules: [{path: $.a, ignore: true, presence: true, accepted: f69d1514f}]",
        "rules: [{path: $.a, accepted: []}]",
        "rules: [{path: $.a, accepted: total}]",
        "rules: [{accepted: f69d1514f}]",
        "rules: [{ignore: true}]",
        "rules: [{path: $.a, header: X, ignore: true}]",
        "rules: [{path: $.a, ignore: maybe}]",
        "rules: [{path: [], ignore: true}]",
        "rules: [{path: '', ignore: true}]",
        "rules: [{path: $.a, tolerance: 0}]",
        "rules: [{path: $.a, tolerance: many}]",
        "rules: [{path: $.a, tolerance: {}}]",
        "rules: [{path: $.a, tolerance: {absolut: 1}}]",
        "rules: [{path: $.a, unordered: {}}]",
        "rules: [{path: $.a, ignore: true, endpoint: users}]",
        "rules: [{path: $.a, ignore: true, method: 'GET HEAD'}]",
        "rules: [{path: $.a, ignore: true, urls: x}]",
        "noise: {relative: 0.2}",
        "noise: {shape: true}",
    ],
)
def test_what_cannot_be_read_is_refused_by_both(text: str) -> None:
    with pytest.raises(RulesError):
        read_rules(text, "compare.yaml")
    assert not accepted(text)


def test_it_has_the_keys_that_are_read() -> None:
    rule = RULES_SCHEMA["definitions"]["rule"]["properties"]
    assert set(rule) == {*KEYS}


scalars = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-2, 2).map(lambda value: round(value, 2)),
    st.sampled_from(
        ["", "true", "No", "$.a", "status", "1%", "0.5", "GET", "GET /a", "POST /graphql X", "a b", "v.*", "f69d1514f"]
    ),
    st.none(),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=2),
    st.dictionaries(st.sampled_from(["key", "absolute", "relative", "x"]), scalars, max_size=2),
)
keys = st.sampled_from(KEYS)
documents = st.fixed_dictionaries(
    {"rules": st.lists(st.dictionaries(keys, values, max_size=4), max_size=2)},
    optional={"noise": st.dictionaries(st.sampled_from(["shapes", "relative", "absolute"]), scalars)},
)


@given(documents)
def test_it_refuses_nothing_that_can_be_read(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document)
    try:
        read_rules(text, "compare.yaml")
    except RulesError:
        return
    VALIDATOR.validate(yaml.safe_load(text))
