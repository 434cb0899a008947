from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.causes import ID
from mirror_addon.compare.causes import Cause
from mirror_addon.compare.causes import causes
from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.causes import general
from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.causes import shown_symptoms
from mirror_addon.compare.causes import symptoms
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.difference import Difference

JSON = ((b"content-type", b"application/json"),)
TEXT = ((b"content-type", b"text/plain"),)
BODY: dict[str, Any] = {
    "items": [{"id": number, "price": number + 0.5, "tax": number, "note": None} for number in range(3)],
    "users": {"123": {"name": "x"}, "550e8400-e29b-41d4-a716-446655440000": {"name": "y"}},
    "total": 3,
}


def answer(body: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, content, len(content), 5.0)


def titles(primary: Answer, shadow: Answer, endpoint: str = "GET /a") -> list[str]:
    found = compare(primary, shadow).differences
    return [each.title for each in causes_of((each for each in found if not each.noise), endpoint)]


def changed(**changes: Any) -> Answer:
    return answer(BODY | changes)


def items(change: dict[str, Any], without: str = "") -> Answer:
    made = [{name: value for name, value in (each | change).items() if name != without} for each in BODY["items"]]
    return changed(items=made)


@pytest.mark.parametrize(
    ("shadow", "expected"),
    [
        (items({}, "tax"), ["$.items[*].tax missing"]),
        (items({"debug": True}), ["$.items[*].debug extra"]),
        (items({"price": "1"}), ["$.items[*].price number -> string"]),
        (items({"price": None}), ["$.items[*].price number -> null"]),
        (items({"note": True}), ["$.items[*].note null -> boolean"]),
        (items({"note": {}}), ["$.items[*].note null -> object"]),
        (items({"note": ["x" * 300]}), ["$.items[*].note null -> array"]),
        (items({"note": {"x": "x" * 300}}), ["$.items[*].note null -> object"]),
        (items({"note": []}), ["$.items[*].note null -> array"]),
        (changed(items=BODY["items"][:2]), ["$.items[*] missing"]),
        (changed(items=[]), ["$.items[*] missing"]),
        (changed(items=[*BODY["items"], BODY["items"][0]]), ["$.items[*] extra"]),
        (changed(items=BODY["items"][::-1]), ["$.items order"]),
        (changed(users={key: {"name": "z"} for key in BODY["users"]}), ["$.users.*.name value"]),
        (changed(users={key: {} for key in BODY["users"]}), ["$.users.*.name missing"]),
        (answer({"error": "x"}, 500), ["status 2xx -> 500"]),
        (Answer(204, (), b"", 0, 3.0), ["status 2xx -> 204"]),
        (answer(BODY | {"total": 4}, 201), ["status 2xx -> 201", "$.total value"]),
        (answer(b"", headers=()), ["body missing"]),
        (answer(b"<html>no</html>", headers=((b"content-type", b"text/html"),)), ["body json -> html"]),
        (answer(BODY, headers=((b"content-type", b"text/json"),)), ["header:content-type value"]),
    ],
)
def test_one_change_is_one_cause(shadow: Answer, expected: list[str]) -> None:
    assert titles(answer(BODY), shadow) == expected


def test_a_renamed_member_is_one_cause_where_its_value_tells() -> None:
    for value in ("Berlin", 4711, 1.5, [1], {"a": 1}):
        assert titles(answer({"a": {"city": value}}), answer({"a": {"town": value}})) == ["$.a.city missing"]
    for value in (1, True, "x", None, 0.0, []):
        assert len(titles(answer({"city": value}), answer({"town": value}))) == 2
    assert len(titles(answer({"a": {"city": "Berlin"}, "b": {}}), answer({"a": {}, "b": {"town": "Berlin"}}))) == 2
    assert len(titles(answer({"city": "Berlin"}), answer({"town": "Berlin!"}))) == 2


def test_text_has_no_paths_so_its_endpoint_is_a_part_of_the_cause() -> None:
    one, other = answer(b"a\nb\n", headers=TEXT), answer(b"a\nc\n", headers=TEXT)
    assert titles(one, other, "GET /a") == ["body value at GET /a"]
    assert titles(one, other, "GET /b") == ["body value at GET /b"]
    assert titles(one, answer(b"", headers=TEXT), "GET /b") == ["body missing"]


def test_redirections_and_errors() -> None:
    moved = Answer(301, ((b"location", b"/a"),), b"", 0)
    assert titles(moved, Answer(302, ((b"location", b"/b"),), b"", 0)) == ["status 3xx -> 302", "header:location value"]
    assert titles(answer({"a": 1}, 404), answer({"b": 1}, 400)) == ["status 4xx -> 400"]
    assert titles(answer({"a": 1}, 404), answer({"a": 2}, 200)) == ["status 4xx -> 200"]


def test_digests_belong_to_the_body_and_cookies_to_their_name() -> None:
    def with_digest(body: Any, digest: bytes) -> Answer:
        return answer(body, headers=(*JSON, (b"digest", digest)))

    assert titles(with_digest({"a": 1}, b"sha-256=x"), with_digest({"a": 2}, b"sha-256=y")) == ["$.a value"]
    assert titles(with_digest({"a": 1}, b"sha-256=x"), with_digest({"a": 1}, b"md5=y")) == ["header:digest value"]
    one = answer({}, headers=(*JSON, (b"set-cookie", b"a=b"), (b"set-cookie", b"theme=dark; Path=/")))
    assert titles(one, answer({}, headers=(*JSON, (b"set-cookie", b"a=b")))) == ["header:set-cookie theme: missing"]


def test_ids_are_stable_and_differ() -> None:
    cause = Cause("$.items[*].tax", "missing")
    assert cause.id == "f69d1514f"
    assert ID.fullmatch(cause.id)
    assert len({cause.id, Cause("$.items[*].tax", "extra").id, Cause("$.items[*].tax", "missing", "x").id}) == 3
    status = [Difference("status", "value", 200, 500), Difference("$.a", "missing", 1, None)]
    assert len(set(ids_of(status, "GET /a"))) == 1


def test_the_symptom_that_is_shown_of_a_cause() -> None:
    found = symptoms([Difference("$.a", "missing", 1, None), Difference("status", "value", 200, 500)])
    assert [each.path for each in shown_symptoms(causes(found, "GET /a")).values()] == ["status"]


def test_paths_are_general() -> None:
    assert general("$.users['123']['a b'].name") == "$.users.*['a b'].name"
    assert general("$.v1.facade['2024-01-01']") == "$.v1.facade.*"
    assert general("/a/b[*]/@id") == "/a/b[*]/@id"


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("{…"), st.lists(st.integers()))
PATHS = st.sampled_from(
    ["status", "body", "$", "$.a", "$.a[*]", "header:set-cookie", "header:digest", "header:content-type", "", "\ud800"]
)
DIFFERENCES = st.builds(
    Difference, PATHS, st.sampled_from(["value", "type", "missing", "extra", "length", "\ud800"]), VALUES, VALUES,
    st.just(""), PATHS,
)  # fmt: skip


@given(st.lists(DIFFERENCES, max_size=6))
def test_any_differences_have_causes(differences: list[Difference]) -> None:
    found = causes_of(differences, "GET /a")
    assert len(found) <= len(differences) and bool(found) is bool(differences)
    assert all(ID.fullmatch(each.id) and each.title for each in found)
