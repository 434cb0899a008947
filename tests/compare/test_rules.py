"""Rules as they are applied to a pair."""

from __future__ import annotations

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError


def response(text: str, content_type: str = "application/json", **headers: str) -> Answer:
    fields = [(name.encode(), value.encode()) for name, value in (("Content-Type", content_type), *headers.items())]
    return Answer(200, tuple(fields), text.encode(), len(text.encode()))


def noises(rules: str, one: str, other: str, **asked: str) -> dict[str, str]:
    found = compare(response(one), response(other), Rules.parse(f"rules:\n{rules}", "compare.yaml"), **asked)  # type: ignore[arg-type]
    return {each.path: each.noise for each in found.differences}


@pytest.mark.parametrize(
    ("rule", "one", "other", "expected"),
    [
        ("- {path: $.a, ignore: true}", '{"a": 1}', '{"a": 2}', {"$.a": "ignored"}),
        ("- {path: $.a, ignore: true}", '{"a": {"b": 1}}', '{"a": {"b": 2}}', {"$.a.b": "ignored"}),
        ("- {path: $.a, ignore: true}", '{"a": 1}', "{}", {"$.a": "ignored"}),
        ("- {path: $.b, ignore: true}", '{"a": 1}', '{"a": 2}', {"$.a": ""}),
        ("- {path: $..b, ignore: true}", '{"a": [{"b": 1}]}', '{"a": [{"b": 2}]}', {"$.a[*].b": "ignored"}),
        ("- {path: '$.l[1]', ignore: true}", '{"l": [1, 2]}', '{"l": [1, 3]}', {"$.l[*]": "ignored"}),
        ("- {path: '$.l[0]', ignore: true}", '{"l": [1, 2]}', '{"l": [1, 3]}', {"$.l[*]": ""}),
        ("- {path: $.*.b, ignore: true}", '{"a": {"b": 1}}', '{"a": {"b": 2}}', {"$.a.b": "ignored"}),
        ("- {path: body, ignore: true}", '{"a": 1}', '{"a": 2}', {"$.a": "ignored"}),
        ("- {path: $.a, presence: true}", '{"a": 1}', '{"a": "x"}', {"$.a": "presence"}),
        ("- {path: $.a, presence: true}", '{"a": 1}', '{"a": null}', {"$.a": ""}),
        ("- {path: $.a, presence: true}", '{"a": 1}', "{}", {"$.a": ""}),
        ("- {path: $.a, regex: 'v\\d+'}", '{"a": "v1"}', '{"a": "v22"}', {"$.a": "regex"}),
        ("- {path: $.a, regex: 'v\\d+'}", '{"a": "v1"}', '{"a": "v22x"}', {"$.a": ""}),
        ("- {path: $.a, regex: '(a+)+b'}", '{"a": "b"}', '{"a": "%s"}' % ("a" * 5000), {"$.a": ""}),
        ("- {path: $.a, tolerance: 0.5}", '{"a": 1}', '{"a": 1.5}', {"$.a": "tolerance"}),
        ("- {path: $.a, tolerance: 0.5}", '{"a": 1}', '{"a": 1.6}', {"$.a": ""}),
        ("- {path: $.a, tolerance: 10%}", '{"a": 100}', '{"a": 109}', {"$.a": "tolerance"}),
        ("- {path: $.a, tolerance: 10%}", '{"a": 100}', '{"a": 120}', {"$.a": ""}),
        ("- {path: $.a, tolerance: 10%}", '{"a": "1.00"}', '{"a": "1.05"}', {"$.a": "tolerance"}),
        ("- {path: $.a, tolerance: 10%}", '{"a": 1}', '{"a": true}', {"$.a": ""}),
        ("- {path: $.a, tolerance: 10%}", '{"a": 1e999999}', '{"a": 2e999999}', {"$.a": ""}),
        ("- {path: $.l, unordered: true}", '{"l": [1, 2, 3]}', '{"l": [3, 1, 2]}', {"$.l": "unordered"}),
        ("- {path: $.l, unordered: true}", '{"l": [1, 2]}', '{"l": [2, 4]}', {"$.l": "unordered", "$.l[*]": ""}),
        (
            "- {path: $.l, unordered: {key: k}}",
            '{"l": [{"k": 1, "v": 1}, {"k": 2, "v": 2}]}',
            '{"l": [{"k": 2, "v": 2}, {"k": 1, "v": 3}]}',
            {"$.l": "unordered", "$.l[*].v": ""},
        ),
    ],
)
def test_what_a_rule_excuses(rule: str, one: str, other: str, expected: dict[str, str]) -> None:
    found = noises(rule, one, other)
    if "unordered: true" in rule and "4" in other:
        assert found["$.l[*]"] == expected["$.l[*]"]
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("whose", "method", "url", "applies"),
    [
        ("endpoint: 'GET /users/{id}'", "GET", "http://h/users/5?x=1", True),
        ("endpoint: 'GET /users/{id}'", "POST", "http://h/users/5", False),
        ("endpoint: '/users/{id}'", "POST", "http://h/users/5", True),
        ("endpoint: '/users/*'", "GET", "http://h/users/5/posts", True),
        ("endpoint: '/users/{id}'", "GET", "http://h/users", False),
        ("method: [GET, HEAD]", "head", "http://h/", True),
        ("method: get", "POST", "http://h/", False),
        ("method: get", "", "http://h/", True),
        ("url: '^http://h/a'", "GET", "http://h/abc", True),
        ("url: '^http://h/a'", "GET", "http://i/abc", False),
    ],
)
def test_which_requests_a_rule_is_for(whose: str, method: str, url: str, applies: bool) -> None:
    found = noises(f"- {{path: $.a, ignore: true, {whose}}}", '{"a": 1}', '{"a": 2}', method=method, url=url)
    assert found == {"$.a": "ignored" if applies else ""}


def test_headers() -> None:
    rules = Rules.parse("rules:\n- {header: x-b*, ignore: true}", "c.yaml")
    found = compare(
        response("{}", **{"X-Build": "1", "X-A": "1"}), response("{}", **{"x-build": "2", "x-a": "2"}), rules
    )
    assert {each.path: each.noise for each in found.differences} == {"header:x-build": "ignored", "header:x-a": ""}


class TestIgnoring:
    def test_a_comma_list(self) -> None:
        rules = DEFAULT_RULES.ignoring("$.a, $['b,c'], header:X-A, status")
        assert [rule.pattern.root for rule in rules.rules] == ["$", "$", "header:x-a", "status"]
        assert rules.rules[1].pattern.steps[0].key == "b,c"

    def test_adds_to_the_others(self) -> None:
        rules = Rules.parse("rules:\n- {path: $.a, ignore: true}", "c.yaml").ignoring("$.b")
        found = compare(response('{"a": 1, "b": 1}'), response('{"a": 2, "b": 2}'), rules)
        assert found.verdict == "noise"

    def test_nothing(self) -> None:
        assert DEFAULT_RULES.ignoring("  ") is DEFAULT_RULES

    @pytest.mark.parametrize("spec", ["a.b", "$.a, nonsense", "$.a[", "header:"])
    def test_nonsense(self, spec: str) -> None:
        with pytest.raises(RulesError):
            DEFAULT_RULES.ignoring(spec)


def test_read_back() -> None:
    text = "rules:\n- {path: $.a, ignore: true}\nnoise: {shapes: false, relative: 5%}\n"
    assert Rules.parse(text, "a") == Rules.parse(text, "b")
    assert Rules.parse(text, "a").relative == 0.05
