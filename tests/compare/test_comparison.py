"""compare(): the verdict of a pair, and that nothing in it can break it."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.compare import comparison
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import MAX_DIFFERENCES
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.paths import member
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.twin_values import Foreign
from mirror_addon.compare.twin_values import TwinValues

JSON = b"application/json"


def response(body: bytes | str | None, content_type: bytes = JSON, status: int = 200, **headers: str) -> Answer:
    body = body.encode() if isinstance(body, str) else body
    fields = [(b"content-type", content_type)]
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, tuple(fields), body, len(body or b""))


def told(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.noise) for each in comparison.differences]


def test_same() -> None:
    assert compare(response('{"a": 1, "b": [1.50]}'), response('{"b":[15e-1],"a":1.0}')).verdict == "same"


def test_status() -> None:
    found = compare(response("{}"), response("{}", status=500))
    assert (found.verdict, told(found)) == ("different", [("status", "value", "")])
    assert (found.differences[0].primary, found.differences[0].shadow) == (200, 500)


@pytest.mark.parametrize("shadow", [Answer(None, error="connect"), Answer(200, error="reset"), Answer(None)])
def test_failed_without_a_complete_response_of_the_mirror(shadow: Answer) -> None:
    assert compare(response("{}"), shadow).verdict == "failed"


def test_a_mirrors_500_is_no_failure() -> None:
    assert compare(response("{}"), response("{}", status=500)).verdict == "different"


def test_primary_without_response() -> None:
    found = compare(Answer(None, error="connect"), response("{}"))
    assert (found.verdict, told(found)) == ("different", [("status", "extra", "")])
    assert found.notes == ("no complete response from the primary: connect",)


def test_nothing_kept() -> None:
    assert compare(Answer(200, bytes=5), Answer(500, bytes=5)).verdict is None


def test_body_that_was_not_kept() -> None:
    found = compare(response("{}"), response(None))
    assert (found.verdict, found.notes) == ("same", ("body not compared: the body of shadow was not kept",))


def test_noise_does_not_hide_what_counts() -> None:
    found = compare(
        response('{"at": "2026-11-22T12:00:00Z", "price": 1}'), response('{"at": "2026-11-22T12:00:01Z", "price": 2}')
    )
    assert (found.verdict, told(found)) == ("different", [("$.price", "value", ""), ("$.at", "value", "time")])


def test_noise_alone() -> None:
    found = compare(response('{"at": "2026-11-22T12:00:00Z"}'), response('{"at": "2026-11-22T12:00:01Z"}'))
    assert (found.verdict, told(found)) == ("noise", [("$.at", "value", "time")])


def test_shapes_switched_off() -> None:
    rules = Rules.parse("noise: {shapes: false}", "compare.yaml")
    pair = (
        response('{"at": "2026-11-22T12:00:00Z"}', date="Sun, 22 Nov 2026 12:00:00 GMT", etag='"1"'),
        response('{"at": "2026-11-22T12:00:01Z"}', date="Sun, 22 Nov 2026 12:00:01 GMT", etag='"2"'),
    )
    assert compare(*pair).verdict == "noise"
    found = compare(*pair, rules)
    assert {each.path for each in found.differences if not each.noise} == {"$.at", "header:date", "header:etag"}


class TestControl:
    def test_what_the_primary_differs_in_itself_is_noise(self) -> None:
        found = compare(
            response('{"r": 1, "x": 1}'), response('{"r": 2, "x": 1}'), control=response('{"r": 3, "x": 1}')
        )
        assert (found.verdict, told(found)) == ("noise", [("$.r", "value", "control")])

    def test_another_path_counts(self) -> None:
        found = compare(
            response('{"r": 1, "x": 1}'), response('{"r": 2, "x": 2}'), control=response('{"r": 3, "x": 1}')
        )
        assert told(found) == [("$.x", "value", ""), ("$.r", "value", "control")]

    def test_a_varying_value_does_not_excuse_a_missing_one(self) -> None:
        found = compare(response('{"r": 1}'), response("{}"), control=response('{"r": 3}'))
        assert told(found) == [("$.r", "missing", "")]

    def test_a_list_that_comes_and_goes(self) -> None:
        found = compare(response('{"l": [1, 2, 3]}'), response('{"l": [1, 3, 4, 5]}'), control=response('{"l": [2]}'))
        assert (found.verdict, {noise for *_, noise in told(found)}) == ("noise", {"control"})

    def test_order(self) -> None:
        found = compare(response("[1, 2, 3]"), response("[3, 1, 2]"), control=response("[2, 1, 3]"))
        assert (found.verdict, told(found)) == ("noise", [("$", "order", "control")])

    @pytest.mark.parametrize(
        ("body", "type", "path"),
        [
            ("fixed: {a}\nnew: {b}\nmore: {c}", "text/plain", "body"),
            ("<tr><td>{a}</td><td>{b}</td><td>{c}</td></tr>", "application/xml", "/tr/td[*]/text()"),
        ],
    )
    def test_noise_in_one_part_of_a_text_or_tree_hides_no_other_part(self, body: str, type: str, path: str) -> None:
        def made(a: str, b: str, c: str = "x") -> Answer:
            content = body.format(a=a, b=b, c=c).encode()
            return Answer(200, ((b"Content-Type", type.encode()),), content, len(content))

        control = made("total 1", "boots")
        assert told(compare(made("total 1", "hats"), made("total 1", "gloves"), control=control)) == [
            (path, "value", "control")
        ]
        found = compare(made("total 1", "hats"), made("total 2", "gloves"), control=control)
        assert found.verdict == "different" and (path, "value", "") in told(found)

    def test_an_id_that_the_control_has_too_is_not_made_up(self) -> None:
        one, other = (json.dumps({"id": f"0f4c8c1e-7a63-4d5e-9c65-1d6a7d3b9c{end}"}) for end in ("11", "22"))
        assert compare(response(one), response(other)).verdict == "noise"
        assert compare(response(one), response(other), control=response(one)).verdict == "different"

    def test_a_control_that_failed_is_none(self) -> None:
        assert (
            compare(response('{"r": 1}'), response('{"r": 2}'), control=Answer(None, error="reset")).verdict
            == "different"
        )


def test_at_most_100_differences_the_counting_first() -> None:
    there = {f"k{i:03}": i for i in range(150)} | {"at": "2026-11-22T12:00:00Z"}
    here = {f"k{i:03}": -i - 1 for i in range(150)} | {"at": "2026-11-22T12:00:01Z"}
    found = compare(response(json.dumps(there)), response(json.dumps(here)))
    assert len(found.differences) == MAX_DIFFERENCES == 100
    assert found.more == 51
    assert not any(each.noise for each in found.differences)


def test_one_difference_for_all_places() -> None:
    there = {"items": [{"id": i, "price": i} for i in range(50)]}
    here = copy.deepcopy(there)
    for i in (7, 9, 11):
        here["items"][i]["price"] = -1
    found = compare(response(json.dumps(there)), response(json.dumps(here)))
    assert [(each.path, each.where) for each in found.differences] == [("$.items[*].price", "$.items[7].price")]
    assert found.more == 0


def test_unhashable_and_huge_numbers() -> None:
    assert compare(response("[1e999999]"), response("[2e999999, 1]")).verdict == "different"
    assert compare(response("[" + "9" * 5000 + "]"), response("[" + "9" * 4999 + "8]")).verdict == "different"


def test_one_megabyte_of_json_takes_no_tenth_of_a_second() -> None:
    items = [
        {"id": i, "name": f"item {i}", "price": i / 7, "tags": ["a", "b", str(i % 7)], "owner": {"id": i * 7}}
        for i in range(10_000)
    ]
    changed = copy.deepcopy(items)
    changed[500]["price"] = -1
    there, here = response(json.dumps(items)), response(json.dumps([{"id": -1}, *changed]))
    assert there.bytes > 900_000
    best = reading = 9.0
    for _ in range(5):
        began = time.process_time()
        found = compare(there, here)
        best = min(best, time.process_time() - began)
        began = time.process_time()
        json.loads(there.body or b""), json.loads(here.body or b"")
        reading = min(reading, time.process_time() - began)
    assert {(path, kind) for path, kind, _ in told(found)} == {
        ("$", "length"),
        ("$[*]", "extra"),
        ("$[*].price", "value"),
    }
    assert best < max(0.25, 9 * reading)  # under 0.1 s, 3.5 times as long as reading, on a machine of one's own


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=6),
    max_leaves=40,
)
types = st.sampled_from(
    [
        b"application/json", b"text/html; charset=utf-16", b"application/xml", b"text/plain; charset=latin-1", b"",
        b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/x-ndjson",
        b"text/plain; charset=punycode", b"image/png", b'text/xml; charset="',
    ]
)  # fmt: skip
codings = st.sampled_from([b"", b"gzip", b"deflate", b"br", b"zstd", b"gzip, br", b"no such"])
starts = st.sampled_from(
    [b"", b"{", b"[", b"<a>", b"<html>", b"--x\r\n\r\n", b"a=1&", b"\xff\xfe", b"\x1f\x8b", b'{"a": "\\ud800"}']
)
headers = st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=30)), max_size=5)


@st.composite
def responses(draw: st.DrawFn) -> Answer:
    body = draw(st.none() | st.builds(lambda start, rest: start + rest, starts, st.binary(max_size=200)))
    fields = [*draw(headers), (b"Content-Type", draw(types)), (b"Content-Encoding", draw(codings))]
    cut = draw(st.integers(0, 3))
    return Answer(draw(st.sampled_from([200, 404, None])), tuple(fields), body, len(body or b"") + cut)


@given(responses(), responses(), st.none() | responses())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_never_raises_and_is_symmetric(one: Answer, other: Answer, control: Answer | None) -> None:
    found = compare(one, other, control=control, url="http://h/x")
    for each in found.differences:
        json.dumps([each.primary, each.shadow], allow_nan=False).encode()
        each.path.encode()
        assert len(str(each.primary)) <= 400
    if one.status is not None and other.status is not None:
        assert compare(one, other).verdict == compare(other, one).verdict


@given(responses())
@settings(max_examples=100, deadline=None)
def test_a_response_is_the_same_as_itself(one: Answer) -> None:
    found = compare(one, one)
    assert found.verdict in (("same", None) if one.status is not None else ("failed",))


@given(trees, trees)
@settings(max_examples=150, deadline=None)
def test_json_is_symmetric_and_exact(one: Any, other: Any) -> None:
    there, here = response(json.dumps(one)), response(json.dumps(other))
    found, turned = compare(there, here), compare(here, there)
    assert found.verdict == turned.verdict
    assert (found.verdict == "same") == (_canonical(one) == _canonical(other))


def _canonical(value: Any) -> Any:
    """Equal if and only if the JSON values are."""
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return (isinstance(value, bool), value)


@given(st.lists(trees, min_size=1, max_size=4), st.data())
@settings(max_examples=100, deadline=None)
def test_a_random_edit_is_found_where_it_is(items: list[Any], data: st.DataObject) -> None:
    one = {"items": items, "marker": 0}
    other = copy.deepcopy(one)
    where: Any = other
    path = "$"
    parent: Any = None
    key: Any = None
    while isinstance(where, dict | list) and where:
        key = data.draw(st.sampled_from(list(where) if isinstance(where, dict) else list(range(len(where)))))
        parent, where = where, where[key]
        path += "[*]" if isinstance(key, int) else member(key)
    parent[key] = "an edit that stands nowhere else"
    found = compare(response(json.dumps(one)), response(json.dumps(other)))
    assert found.verdict == "different"
    # An element that was not recognised is one difference as a whole.
    assert all(path.startswith(each.path) or each.path.startswith(path) for each in found.differences)
    assert max(found.differences, key=lambda each: len(each.path)).path.count("[*]") >= min(1, path.count("[*]"))


@given(trees, st.text(max_size=8))
@settings(max_examples=100, deadline=None)
def test_every_path_told_can_be_ignored_as_it_is(tree: Any, name: str) -> None:
    found = compare(response(json.dumps({name: tree, "b": [1]})), response(json.dumps({name: "else", "b": [2]})))
    for each in found.differences:
        if "…" not in each.path:
            rules = Rules().ignoring(each.path)
            again = compare(
                response(json.dumps({name: tree, "b": [1]})), response(json.dumps({name: "else", "b": [2]})), rules
            )
            noises = {other.noise for other in again.differences if other.path == each.path}
            assert noises == {"ignored"}, each.path


def test_a_recorded_primary_has_its_own_time() -> None:
    pair = response('{"at": "2026-11-21T12:00:00Z"}'), response('{"at": "2026-11-22T12:00:01Z"}')
    assert compare(*pair, now=1795348801.0, primary_now=1795262400.0).verdict == "noise"
    assert compare(*pair, now=1795348801.0).verdict == "different"


def test_accepted_findings_do_not_count_and_others_at_the_path_do() -> None:
    def judged(body: bytes, status: int = 200) -> tuple[str | None, list[str]]:
        json = ((b"content-type", b"application/json"),)
        one, other = b'{"price": 1, "a": 2}', body
        rules = Rules(accepted=frozenset({"fbac0b744", "f2120dc51"}))  # $.price number -> string, status 2xx -> 500
        sides = Answer(200, json, one, len(one), 1.0), Answer(status, json, other, len(other), 1.0)
        found = compare(*sides, rules, method="GET", url="http://shop.test/a")
        return found.verdict, [each.noise for each in found.differences]

    assert judged(b'{"price": "1", "a": 2}') == ("noise", ["accepted"])
    assert judged(b'{"price": "1", "a": 3}') == ("different", ["", "accepted"])
    assert judged(b'{"price": null, "a": 2}') == ("different", [""])
    assert judged(b'{"error": 1}', 500) == ("noise", ["accepted"] * 4)
    assert judged(b'{"error": 1}', 503)[0] == "different"


EQUAL = {
    "plain": {},
    "cut": {"bytes": 1000},
    "a stream that goes on": {"ended": False},
    "not kept": {"body": None},
    "an error": {"error": "reset"},
    "a coding": {"headers": ((b"Content-Encoding", b"gzip"),)},
    "no response": {"status": None, "error": "connect"},
    "its own Host": {"asked": Asked(b"v2", b"v1")},
    "its own Host in a field": {"asked": Asked(b"v3", b"v1"), "headers": ((b"Location", b"http://v3/"),)},
}


@pytest.mark.parametrize("body", [b'{"at": "http://v2/"}', b"", b"data: 1\n\n", b"\0\0\0\0\1x"])
@pytest.mark.parametrize("changes", EQUAL.values(), ids=EQUAL)
def test_equal_bytes_need_no_parser(body: bytes, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of them is what a whole comparison says."""
    one = replace(response(body), **{key: value for key, value in changes.items() if key != "asked"})
    other = replace(one, **{key: value for key, value in changes.items() if key == "asked"}, error="")
    soon = compare(one, other)
    monkeypatch.setattr(comparison, "_equal", lambda *_: False)
    assert soon == compare(one, other)


def test_equal_bytes_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "read_body", None)
    pair = response('{"a": 1}', etag='"1"'), replace(response('{"a": 1}', etag='"1"'), asked=Asked(b"v2", b"v1"))
    assert compare(*pair, control=pair[0]) == Comparison("same")
    with pytest.raises(TypeError):
        compare(*pair, twin=TwinValues(foreign=(Foreign("$.a", "$.a", 1, "2"),)))
