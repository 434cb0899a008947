from __future__ import annotations

from typing import Any

import pytest
from twintools import answer

from mirror_addon.twin.learning import GIVEN
from mirror_addon.twin.learning import MADE
from mirror_addon.twin.learning import SEEN
from mirror_addon.twin.learning import observe
from mirror_addon.twin.naming import Situation
from mirror_addon.twin.responses import Side

UUID = "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a"


def seen(
    primary: Any, shadow: Any, target: str = "/orders", *used: str, makes: bool = True
) -> list[tuple[str, str, str, str]]:
    situation = Situation(target, makes, lambda keys: any(key[2] in used for key in keys))
    found = observe(situation, Side(primary), Side(shadow))
    return sorted((each.path, each.primary, each.shadow, each.how) for each in found if each.primary != each.shadow)


def test_what_is_made_is_new() -> None:
    primary = answer({"id": 7, "customer_id": 9, "quantity": 5, "url": "/orders/7"}, (b"Location", b"/orders/7"))
    shadow = answer({"id": 8, "customer_id": 3, "quantity": 6, "url": "/orders/8"}, (b"Location", b"/orders/8"))
    assert seen(primary, shadow, "/orders", "9") == [
        ("$.customer_id", "9", "3", ""),
        ("$.id", "7", "8", MADE),
        ("$.url", "7", "8", MADE),
        ("header:location", "7", "8", MADE),
    ]


@pytest.mark.parametrize(
    ("primary", "shadow", "how"),
    [
        ({"id": 7, "name": "a"}, {"id": 8, "name": "a"}, SEEN),
        ({"id": 7, "name": "a"}, {"id": 8, "name": "b"}, ""),
        ({"order_id": 7}, {"order_id": 8}, SEEN),
        ({"customer_id": 7, "name": "a"}, {"customer_id": 8, "name": "a"}, ""),
        ({"customer_id": 7, "name": "a"}, {"customer_id": UUID, "name": "a"}, SEEN),
        ({"access_token": "a"}, {"access_token": "b"}, GIVEN),
    ],
)
def test_what_a_get_shows(primary: Any, shadow: Any, how: str) -> None:
    (found,) = seen(answer(primary), answer(shadow), makes=False)
    assert found[3] == how


def test_elements_are_found_by_what_they_say() -> None:
    primary = {"items": [{"id": 1, "sku": "a"}, {"id": 2, "sku": "b"}, {"id": 3, "sku": "c"}, {"id": 4, "sku": "c"}]}
    shadow = {"items": [{"id": 12, "sku": "b"}, {"id": 11, "sku": "a"}, {"id": 14, "sku": "c"}, {"id": 13, "sku": "c"}]}
    for makes in (False, True):
        found = seen(answer(primary), answer(shadow), makes=makes)
        assert [each[1:3] for each in found] == [("1", "11"), ("2", "12")], "those that say the same are not guessed"


def test_elements_that_say_nothing_are_paired_by_place_where_they_were_made() -> None:
    primary, shadow = answer({"items": [{"id": 1}, {"id": 2}]}), answer({"items": [{"id": 11}, {"id": 12}]})
    assert [each[1:3] for each in seen(primary, shadow)] == [("1", "11"), ("2", "12")]
    assert seen(primary, shadow, makes=False) == []
    assert seen(primary, answer({"items": [{"id": 11}]})) == []


def test_cookies_tags_and_pages_are_given() -> None:
    one = answer({}, (b"Set-Cookie", b"sid=a"), (b"ETag", b'"1"'))
    other = answer({}, (b"Set-Cookie", b"sid=b"), (b"ETag", b'"2"'), status=404)
    assert seen(one, other, makes=False) == [
        ("header:etag", '"1"', '"2"', GIVEN),
        ("header:set-cookie", "a", "b", GIVEN),
    ]
    html = (b"Content-Type", b"text/html")
    pages = (answer(None, html, body=b"<input name=csrf_token value=%s>" % each) for each in (b"a", b"b"))
    assert seen(*pages) == [("", "a", "b", GIVEN)]


def test_single_ids_and_bare_names() -> None:
    assert seen(answer(7), answer(8)) == [("$", "7", "8", MADE)]
    assert seen(answer({"order": 7}), answer({"order": 8})) == [("$.order", "7", "8", MADE)]
    assert seen(answer({"page": 7}), answer({"page": 8})) == []


def test_responses_of_another_kind_teach_nothing() -> None:
    assert seen(answer({"id": 7}), answer({"id": 8}, status=500)) == []
    assert seen(answer({"id": 7}, status=404), answer({"id": 8}, status=404)) == []
    assert seen(answer({"id": 7}), answer(None, (b"Content-Type", b"text/html"), body=b"<html>8")) == []


def test_scopes() -> None:
    situation = Situation("/orders/7/items", True, lambda keys: False)
    found = {each.path: each.scope for each in observe(situation, Side(answer({"id": 1})), Side(answer({"id": 2})))}
    assert found == {"$.id": "order:7"}
    sides = [Side(answer({"id": 7, "items": [{"id": 1, "sku": "a"}]})) for _ in range(2)]
    found = {each.path: each.scope for each in observe(Situation("/orders", True, lambda _: False), *sides)}
    assert found == {"$.id": "", "$.items[*].id": "order:7"}


def test_equal_responses_are_not_read_unless_something_was_made() -> None:
    sides = [Side(answer({"id": 7})) for _ in range(2)]
    assert not list(observe(Situation("/orders", False, lambda _: False), *sides))
    (same,) = observe(Situation("/orders", True, lambda _: False), *sides)
    assert (same.primary, same.shadow, same.how) == ("7", "7", MADE)


def test_deep_documents_end() -> None:
    document: Any = {"id": 7}
    for _ in range(200):
        document = {"a": document}
    assert seen(answer(document), answer(document)) == []
