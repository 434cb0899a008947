"""JSON by structure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirror_addon.compare import json_comparison as module
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.json_comparison import _counterparts
from mirror_addon.compare.json_comparison import alike
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


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("[[true], 1]", "[[1], 1]", [("$[*][*]", "type", "$[0][0]")]),
        ('[{"a": {"b": true}}, 5]', '[{"a": {"b": 1}}, 5]', [("$[*].a.b", "type", "$[0].a.b")]),
        ('[["x", true], 1, 2]', '[["x", true], 2, 1]', [("$", "order", "$")]),
        ('[["x", [false]], {"a": null}]', '[["x", [0]], {"a": null}]', [("$[*][*][*]", "type", "$[0][1][0]")]),
    ],
)
def test_booleans_are_not_numbers_at_any_depth(one: str, other: str, found: list[tuple[str, str, str]]) -> None:
    assert [(path, kind, where) for path, kind, *_, where in compared(one, other)] == found


def test_members_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_MEMBERS", 2)
    for one, other in (("{}", '{"a": 1, "b": 2, "c": 3}'), ('{"a": 1, "b": 2, "c": 3}', "{}")):
        differences = Differences((), None, None)
        JsonComparison(differences, False).run(read_json(one), read_json(other))
        listed, more = differences.listed(9)
        assert ([each.path for each in listed], more) == (["$.a", "$.b"], 1)


def test_an_id_that_identifies_only_some_elements_is_not_used() -> None:
    one = '[{"id": 1, "name": "a", "v": 1}, {"id": 1, "name": "b", "v": 2}]'
    other = '[{"id": 1, "name": "b", "v": 2}, {"id": 1, "name": "a", "v": 3}, {"id": 1, "name": "c", "v": 4}]'
    assert [(path, kind) for path, kind, *_ in compared(one, other)] == [
        ("$", "length"), ("$", "order"), ("$[*].v", "value"), ("$[*]", "extra"),
    ]  # fmt: skip


def test_ids_that_all_changed_do_not_identify() -> None:
    one = [{"id": i, "text": f"t{i}"} for i in range(4)]
    other = [{"id": i + 100, "text": f"t{i}"} for i in range(3)]
    kinds = {(path, kind) for path, kind, *_ in compared(json.dumps(one), json.dumps(other))}
    assert kinds == {("$", "length"), ("$[*].id", "value"), ("$[*]", "missing")}


def test_long_lists_are_aligned_without_masking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_MASKED", 3)
    one = [{"k": i, "at": f"2026-11-22T12:00:0{i}Z"} for i in range(5)]
    other = [{"k": i, "at": f"2026-11-22T12:01:0{i}Z"} for i in range(1, 5)]
    kinds = {(path, kind) for path, kind, *_ in compared(json.dumps(one), json.dumps(other))}
    assert ("$", "length") in kinds


def test_elements_that_differ_in_shapes_below_many_levels() -> None:
    deep = '{{"a": {{"b": {{"c": {{"d": {{"e": {{"f": [{value}]}}}}}}}}}}, "n": {number}, "at": "{at}"}}'
    one = [deep.format(value=i, number=1795348800 + i, at=f"2026-11-22T12:00:0{i}Z") for i in range(4)]
    other = [deep.format(value=i, number=1795348860 + i, at=f"2026-11-22T12:01:0{i}Z") for i in range(1, 4)]
    kinds = {(path, kind) for path, kind, *_ in compared(f"[{','.join(one)}]", f"[{','.join(other)}]")}
    assert ("$[*]", "missing") in kinds


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ({}, {"a": 1}, 0.5, 0.5),
        ({"a": 1}, {"a": 1}, 0.99, 1.0),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, 0.5, 0.9),
        ({"a": [1]}, {"a": [2]}, 0.99, 1.0),
        ({"a": [1]}, {"a": {"b": 1}}, 0.0, 0.1),
        ([], [1], 0.5, 0.5),
        ([1, 2], [1, 2], 1.0, 1.0),
        ([1, 2], [2, 3], 0.5, 0.5),
        (1, 2, 0.1, 0.1),
        (1, "a", 0.0, 0.0),
    ],
)
def test_similarity(one: Any, other: Any, least: float, most: float) -> None:
    assert least <= alike(one, other) <= most


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"id": 1, "a": 2}, {"id": 1, "a": 3}, True),
        ({"id": 1}, {"id": 2}, False),
        ({"id": 1}, {"a": 1}, False),
        ({"a": 1}, {"a": 1}, False),
        ([1], {"id": 1}, False),
        ({"id": 1}, 1, False),
    ],
)
def test_elements_with_the_same_identity_are_counterparts(one: Any, other: Any, same: bool) -> None:
    assert _counterparts(one, other) is same
