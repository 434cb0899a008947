from __future__ import annotations

from typing import Any

from twintools import answer

from mirror_addon.compare.answer import Answer
from mirror_addon.twin.naming import Situation
from mirror_addon.twin.naming import named
from mirror_addon.twin.responses import Side

HTML = (b"Content-Type", b"text/html")


def names(response: Answer, target: str = "/orders", makes: bool = True, known: Any = lambda text: True) -> list[Any]:
    situation = Situation(target, makes, lambda keys: False)
    return sorted(
        (each.path, each.text, each.keys[0][1], each.scope) for each in named(situation, Side(response), known)
    )


def test_all_that_a_response_names() -> None:
    document = {"id": 7, "quantity": 7, "items": [{"id": 1}, {"id": 1}]}
    fields = (b"Location", b"/orders/7/new"), (b"Set-Cookie", b"sid=a"), (b"ETag", b'"1"')
    assert names(answer(document, *fields)) == [
        ("$.id", "7", "order", ""),
        ("$.items[*].id", "1", "item", "order:7"),
        ("$.items[*].id", "1", "item", "order:7"),
        ("header:etag", '"1"', "/orders", ""),
        ("header:location", "7", "order", ""),
        ("header:set-cookie", "a", "sid", ""),
    ]


def test_only_what_is_known() -> None:
    document = {"id": 7, "order_id": 8}
    assert names(answer(document), known="8".__eq__) == [("$.order_id", "8", "order", "")]
    assert names(answer(document, (b"Set-Cookie", b"sid=a"), (b"ETag", b'"1"')), known="9".__eq__) == []


def test_pages_and_single_ids() -> None:
    assert names(answer(None, HTML, body=b'<input name="csrf" value="t">')) == [("", "t", "", "")]
    assert names(answer(7), "/users/3/orders") == [("$", "7", "order", "user:3")]
    assert names(answer(None, (b"Content-Type", b"text/plain"), body=b"7")) == [("body", "7", "order", "")]


def test_an_error_names_what_it_gives_alone() -> None:
    assert names(answer({"id": 7}, (b"Set-Cookie", b"sid=a"), status=404)) == [("header:set-cookie", "a", "sid", "")]


def test_names_by_the_request() -> None:
    assert names(answer({"order": 7})) == [("$.order", "7", "order", "")]
    assert names(answer({"order": 7}), makes=False) == []
    situation = Situation("/orders/7/pay", True, lambda keys: False)
    assert situation.keys("$.id", "id", "7", "") == (("id", "pay", "7"), ("id", "order", "7"))
