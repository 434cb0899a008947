"""JSON by structure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.json_comparison import fingerprint
from mirror_addon.compare.json_documents import read_json

Found = list[tuple[str, str, Any, Any, str]]


def compared(one: str, other: str) -> Found:
    differences = Differences((), None, None)
    JsonComparison(differences, True).run(read_json(one), read_json(other))
    return [(each.path, each.kind, each.primary, each.shadow, each.where) for each in differences.listed(100)[0]]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1.0}', []),
        ("[1, 10, 1e2, 0.1]", "[1.0, 1e1, 100, 1.0e-1]", []),
        ("-0", "0", []),
        ("1e400", "10e399", []),
        ("9007199254740993", "9007199254740992", [("$", "value", 9007199254740993, 9007199254740992, "$")]),
        ("0.1", "0.10000000000000000001", [("$", "value", 0.1, "0.10000000000000000001", "$")]),
        ('{"a": 1}', "{}", [("$.a", "missing", 1, None, "$.a")]),
        ("{}", '{"a b": {"c": 1}}', [("$['a b']", "extra", None, {"c": 1}, "$['a b']")]),
        ('{"a": 1}', '{"a": "1"}', [("$.a", "type", 1, "1", "$.a")]),
        ('{"a": true}', '{"a": 1}', [("$.a", "type", True, 1, "$.a")]),
        ("[true, false]", "[1, 0]", [("$[*]", "type", True, 1, "$[0]")]),
        ('{"a": null}', '{"a": 0}', [("$.a", "type", None, 0, "$.a")]),
        ('{"a": null}', "{}", [("$.a", "missing", None, None, "$.a")]),
        ('{"a": []}', '{"a": {}}', [("$.a", "type", [], {}, "$.a")]),
        ("[1, 2, 3]", "[3, 1, 2]", [("$", "order", [1, 2, 3], [3, 1, 2], "$")]),
        ("[1, 2, 3]", "[2, 3]", [("$", "length", 3, 2, "$"), ("$[*]", "missing", 1, None, "$[0]")]),
        ("[2, 3]", "[1, 2, 3]", [("$", "length", 2, 3, "$"), ("$[*]", "extra", None, 1, "$[0]")]),
        ("[1, 2, 3, 4]", "[1, 2, 9, 4]", [("$[*]", "value", 3, 9, "$[2]")]),
        ("[1, 1, 2]", "[1, 2, 2]", [("$[*]", "value", 1, 2, "$[1]")]),
    ],
)
def test_differences(one: str, other: str, found: Found) -> None:
    assert compared(one, other) == found


def test_one_for_all_places_with_the_first_of_them() -> None:
    one = {"items": [{"id": i, "price": i} for i in range(9)]}
    other = {"items": [{"id": i, "price": i if i < 4 else -1} for i in range(9)]}
    found = compared(json.dumps(one), json.dumps(other))
    assert found == [("$.items[*].price", "value", 4, -1, "$.items[4].price")]


def test_an_inserted_element_does_not_shift_the_others() -> None:
    one = [{"id": i, "text": f"t{i}", "at": i * 3} for i in range(500)]
    other = [{"id": 999, "text": "new", "at": 0}, *one[:300], *one[301:]]
    other[100] = dict(other[100], text="changed")
    kinds = {(path, kind, where) for path, kind, _, _, where in compared(json.dumps(one), json.dumps(other))}
    assert kinds == {("$[*]", "extra", "$[0]"), ("$[*]", "missing", "$[300]"), ("$[*].text", "value", "$[99].text")}


def test_elements_without_a_name_find_each_other_by_what_they_share() -> None:
    one = [{"k": i, "a": i * 7, "at": f"2026-11-22T12:00:{i:02}Z"} for i in range(20)]
    other = [{"k": i, "a": i * 7, "at": f"2026-11-22T12:01:{i:02}Z"} for i in range(1, 20)]
    kinds = {(path, kind) for path, kind, *_ in compared(json.dumps(one), json.dumps(other))}
    assert kinds == {("$", "length"), ("$[*]", "missing"), ("$[*].at", "value")}


def test_members_of_other_types() -> None:
    kinds = {(path, kind) for path, kind, *_ in compared('[{"a": [1]}, 7]', '[{"a": 1}, {"a": "x"}, {"b": []}]')}
    assert ("$", "length") in kinds


def test_moved_and_changed() -> None:
    one = [{"id": 1, "v": 1}, {"id": 2, "v": 2}, {"id": 3, "v": 3}]
    other = [{"id": 3, "v": 3}, {"id": 1, "v": 1}, {"id": 2, "v": 9}]
    kinds = [(path, kind) for path, kind, *_ in compared(json.dumps(one), json.dumps(other))]
    assert kinds == [("$", "order"), ("$[*].v", "value")]


def test_deep_nesting() -> None:
    one, other = ("[" * 150 + end + "]" * 150 for end in ("1", "2"))
    ((path, kind, *_, where),) = compared(one, other)
    assert (path, kind, where) == ("$" + "[*]" * 150, "value", "$" + "[0]" * 150)


def test_fingerprints() -> None:
    assert fingerprint({"a": [1, {"b": 2.0}]}) == fingerprint({"a": [1.0, {"b": 2}]})
    assert fingerprint({"a": [1, {"b": 2}]}) != fingerprint({"a": [1, {"b": 3}]})
    assert fingerprint(True) != fingerprint(1)
    assert fingerprint(2**61 - 1) != fingerprint(0)
