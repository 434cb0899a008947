"""compare.yaml: what it says, and what is wrong with it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.path_rule import RulesError
from mirror_addon.compare.rules_file import read_rules

FULL = """
rules:
  - path: $.a
    ignore: true
  - path: [$.b, status]
    presence: true
    endpoint: GET /users/{id}
  - header: X-Build
    regex: v\\d+
    method: [get, HEAD]
    url: ^http://h/
  - path: $.c
    tolerance: 0.5
  - path: $.d
    tolerance: 1%
  - path: $.e
    tolerance: {absolute: 2, relative: 5%}
  - path: $.f
    unordered: true
  - path: $.g
    unordered: {key: id}
  - path: $.off
    ignore: false
noise:
  shapes: false
  relative: 10%
  absolute: 0.1%
"""


def test_everything() -> None:
    read = read_rules(FULL, "compare.yaml")
    assert len(read.rules) == 9
    a, b, status, build, c, d, e, f, g = read.rules
    assert a.ignore
    assert (b.presence, b.endpoint, status.pattern.root) == (True, "GET /users/{id}", "status")
    assert build.pattern.root == "header:x-build"
    assert build.methods == {"GET", "HEAD"}
    assert build.regex.fullmatch("v12")
    assert (c.absolute, d.relative, e.absolute, e.relative) == (0.5, 0.01, 2, 0.05)
    assert (f.unordered, f.key, g.key) == (True, "", "id")
    assert (read.shapes, read.relative, read.absolute) == (False, 0.1, 0.001)


@pytest.mark.parametrize("text", ["", "# nothing\n", "rules:\n", "rules: []\nnoise: {}\n", "---\n"])
def test_nothing(text: str) -> None:
    read = read_rules(text, "compare.yaml")
    assert (read.rules, read.shapes, read.relative, read.absolute) == ((), True, 0.2, 0.0003)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rulez: []", "c.yaml:1: unknown key 'rulez'; did you mean 'rules'?"),
        ("rules:\n- path: $.a\n  ingore: true", "c.yaml:3: unknown key 'ingore'; did you mean 'ignore'?"),
        (
            "rules:\n- path: $.a",
            "c.yaml:2: a rule needs one of ignore, presence, regex, tolerance, unordered; it has none",
        ),
        ("rules:\n- path: $.a\n  ignore: true\n  regex: a", "it has ignore and regex"),
        ("rules:\n- ignore: true", "c.yaml:2: a rule has neither `path` nor `header`"),
        ("rules:\n- path: $.a\n  header: X\n  ignore: true", "has both `path` and `header`"),
        ("rules:\n- path: a.b\n  ignore: true", "c.yaml:2: 'a.b' is not a path; write $.a.b"),
        ("rules:\n- path: $.a[?@.b]\n  ignore: true", "filters are not supported"),
        ("rules:\n- path: $.a\n  regex: '['", "c.yaml:3: `regex` is not a valid RE2 regex"),
        ("rules:\n- path: $.a\n  tolerance: much", "c.yaml:3: 'much' is not a tolerance"),
        ("rules:\n- path: $.a\n  tolerance: -1", "'-1' is not a tolerance"),
        ("rules:\n- path: $.a\n  tolerance: nan", "'nan' is not a tolerance"),
        ("rules:\n- path: $.a\n  tolerance: {}", "`tolerance` is empty"),
        ("rules:\n- path: $.a\n  ignore: maybe", "write true or false"),
        ("rules:\n- path: $.a\n  unordered: {}", "`unordered` has no key"),
        ("rules:\n- path: $.a\n  ignore: true\n  endpoint: users", "'users' is not an endpoint"),
        ("rules:\n- path: $.a\n  ignore: true\n  method: 'GET /'", "is not a method"),
        ("rules:\n- path: []\n  ignore: true", "`path` has 0 items"),
        ("rules:\n- path: {a: 1}\n  ignore: true", "must be text"),
        ("rules:\n- path: $.a\n  path: $.b\n  ignore: true", "c.yaml:3: duplicate key 'path'"),
        ("rules: {a: b}", "c.yaml:1: `rules` must be a list"),
        ("- a", "the file must be a mapping"),
        ("noise: {relative: 0.2}", "write a percentage"),
        ("noise: {relative: 120%}", "write a percentage"),
        ("noise: {shape: no}", "did you mean 'shapes'?"),
        ("rules: [", "c.yaml:1: is not YAML"),
        ("rules: []\n---\nrules: []", "is not YAML"),
        ("a: \x00", "is not YAML"),
        ("a: *b", "is not YAML"),
        ("[" * 5000, "c.yaml:1: "),
        ("? {a: b}\n: c", "c.yaml:1: unknown key"),
        ("&a [*a]", "must be a mapping"),
        ("rules: &a\n- path: *a\n  ignore: true", "must be text"),
        ("#" * 1_100_000, "longer than"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(RulesError) as caught:
        read_rules(text, "c.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("c.yaml:")
    assert len(str(caught.value)) < 400


def test_a_bomb_of_aliases() -> None:
    text = "rules:\n- path: &p [" + ",".join(f"$.a{i}" for i in range(900)) + "]\n  ignore: true\n"
    text += "- path: *p\n  ignore: true\n" * 900
    with pytest.raises(RulesError, match="more than 1000 rules"):
        read_rules(text, "c.yaml")


@given(st.text())
def test_any_text(text: str) -> None:
    with contextlib.suppress(RulesError):
        read_rules(text, "c.yaml")


def test_accepted_findings() -> None:
    text = """
rules:
- path: $.a
  accepted: f69d1514f
- path: $.b
  ignore: true
  accepted: [f0000000a, "f00000001"]
noise: {shapes: false}
"""
    read = read_rules(text, "c.yaml")
    assert read.accepted == {"f69d1514f", "f0000000a", "f00000001"}
    assert [each.ignore for each in read.rules] == [True] and not read.shapes
    assert read_rules(text.replace("noise: {shapes: false}", ""), "c.yaml").accepted == read.accepted


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("path: $.a, accepted: x", "c.yaml:1: 'x' is not a finding"),
        ("path: $.a, accepted: []", "has 0 items"),
        ("path: $.a, accepted: {a: b}", "must be text"),
        ("accepted: f69d1514f", "neither `path` nor `header`"),
        ("path: nowhere, accepted: f69d1514f", "is not a path"),
        ("path: $.a, accepted: f69d1514f, endpoint: GET /a", "remove `endpoint`, or add `ignore: true`"),
        ("path: $.a", "it has none, and no accepted"),
    ],
)
def test_what_is_wrong_with_accepted(rule: str, message: str) -> None:
    with pytest.raises(RulesError) as caught:
        read_rules(f"rules: [{{{rule}}}]", "c.yaml")
    assert message in str(caught.value)
