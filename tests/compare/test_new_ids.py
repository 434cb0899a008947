"""Ids that a mirror made itself, over several pairs, and the wrong values that look like them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.graphql import operation_of
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules

MUTATION = '{"query": "mutation Do { do { id } }"}'
QUERY = '{"query": "{ order { id } }"}'


class Mirror:
    """One mirror, and its pairs one after the other."""

    def __init__(self, most: int = 100) -> None:
        self.learned = NewIds(most)

    def pair(
        self, request: str, one: Any, other: Any, status: int = 201, body: str | None = "", rules: Rules = DEFAULT_RULES
    ) -> Comparison:
        method, _, path = request.partition(" ")
        url = f"http://a{path}"
        operation = operation_of(method, url, (body or "").encode())
        ids = PairIds(
            self.learned,
            method,
            url,
            None if body is None else f"{url} {body}",
            created=status == 201,
            operation=(operation.name if operation.changes else "") if operation.name else None,
        )
        return compare(answer(one, status), answer(other, status), rules, method=method, url=url, ids=ids)

    def verdict(self, *arguments: Any, **named: Any) -> str | None:
        return self.pair(*arguments, **named).verdict


def answer(made: Any, status: int) -> Answer:
    if isinstance(made, tuple):
        name, value = made
        return Answer(status, ((name.encode(), value.encode()),), b"")
    if isinstance(made, str):
        return Answer(status, ((b"content-type", b"text/html"),), made.encode(), len(made))
    data = json.dumps(made).encode()
    return Answer(status, ((b"content-type", b"application/json"),), data, len(data))


@pytest.mark.parametrize(
    ("request_", "one", "other", "status", "body"),
    [
        ("POST /orders", {"id": 1001, "total": 5}, {"id": 57, "total": 5}, 201, '{"customer": 5}'),
        ("POST /orders", {"id": 1001}, {"id": 57}, 200, ""),
        ("POST /orders", {"id": "1001"}, {"id": "57"}, 201, ""),
        ("POST /v1/orders/create", {"order": {"id": 1001}}, {"order": {"id": 57}}, 200, ""),
        ("POST /orders", {"data": {"orderId": 1001}}, {"data": {"orderId": 57}}, 201, ""),
        ("POST /orders", {"orderNumber": "ORD-1001"}, {"orderNumber": "ORD-57"}, 201, ""),
        ("POST /orders", {"id": 1, "lines": [{"id": 7}]}, {"id": 2, "lines": [{"id": 17}]}, 201, ""),
        ("POST /orders", ("Location", "/orders/1001"), ("Location", "/orders/57"), 303, ""),
        ("POST /orders", ("Location", "http://a/orders/1001?x#y"), ("Location", "http://a/orders/57?x#y"), 201, ""),
        ("POST /graphql", {"createOrder": {"id": 1001}}, {"createOrder": {"id": 57}}, 200, MUTATION),
        ("POST /graphql", {"addOrder": {"order": {"id": "9"}}}, {"addOrder": {"order": {"id": "57"}}}, 200, MUTATION),
    ],
)  # fmt: skip
def test_an_id_that_was_made_just_now(request_: str, one: Any, other: Any, status: int, body: str) -> None:
    found = Mirror().pair(request_, one, other, status, body)
    assert (found.verdict, {each.noise for each in found.differences}) == ("noise", {"new_id"})


@pytest.mark.parametrize(
    ("request_", "one", "other", "status", "body"),
    [
        # mere numbers
        ("POST /orders", {"count": 1001}, {"count": 57}, 201, ""),
        ("POST /orders", {"id": 1001, "total": 5}, {"id": 57, "total": 6}, 201, ""),
        ("POST /orders", {"id": 1001}, {"id": 0}, 201, ""),
        ("POST /orders", {"id": 1001}, {"id": -57}, 201, ""),
        ("POST /orders", {"id": 1001}, {"id": 57.5}, 201, ""),
        ("POST /orders", {"id": 1001}, {"id": "57"}, 201, ""),
        ("POST /orders", {"id": 1001}, {"id": None}, 201, ""),
        ("POST /orders", {"id": 1001}, {}, 201, ""),
        ("POST /orders", {"paid": True}, {"paid": 2}, 201, ""),
        ("POST /orders", {"id": "0057"}, {"id": "0058"}, 201, ""),
        # what was in the request refers to something
        ("POST /orders", {"id": 5}, {"id": 57}, 201, '{"id": 5}'),
        ("POST /orders?id=5", {"id": 5}, {"id": 57}, 201, ""),
        ("POST /orders", {"id": 5}, {"id": 57}, 201, None),
        # an id of something else than what was made
        ("POST /orders", {"customerId": 5}, {"customerId": 6}, 201, ""),
        ("POST /orders", {"customer": {"id": 5}}, {"customer": {"id": 6}}, 201, ""),
        ("POST /orders", {"related": [{"id": 7}]}, {"related": [{"id": 17}]}, 200, ""),
        ("POST /orders", ("Location", "/customers/5"), ("Location", "/customers/6"), 303, ""),
        ("POST /orders", ("Location", "/orders/1001/2"), ("Location", "/orders/57/3"), 303, ""),
        ("POST /orders", ("Location", "/orders/1001"), ("Location", "/basket/57"), 303, ""),
        ("POST /orders", ("Location", "/orders/1001"), ("Location", "/orders/1001/57"), 303, ""),
        ("POST /orders", ("Location", "/1001"), ("Location", "/57"), 303, ""),
        ("POST /orders", ("Location", "/orders/1001-a"), ("Location", "/orders/57-a"), 303, ""),
        ("POST /orders", {"text": "1001 apples/pears"}, {"text": "57 apples/pears"}, 201, ""),
        ("POST /orders", {"orderId": "a" * 3000 + "1"}, {"orderId": "a" * 3000 + "2"}, 201, ""),
        ("POST /orders", {"orderId": "ORD-07"}, {"orderId": "ORD-08"}, 201, ""),
        # nothing is made
        ("POST /search", {"id": 5}, {"id": 6}, 200, ""),
        ("POST /login", {"user": {"id": 5}}, {"user": {"id": 6}}, 200, ""),
        ("GET /orders/7", {"id": 1001}, {"id": 57}, 200, ""),
        ("PUT /orders/7", {"id": 1001}, {"id": 57}, 200, ""),
        ("POST /graphql", {"data": {"order": {"id": 5}}}, {"data": {"order": {"id": 6}}}, 200, QUERY),
        ("POST /graphql", {"addOrders": [{"id": 5}]}, {"addOrders": [{"id": 6}]}, 200, MUTATION),
        ("POST /graphql", {"data": {"pay": {"id": 5}}}, {"data": {"pay": {"id": 6}}}, 200, MUTATION),
    ],
)  # fmt: skip
def test_what_counts(request_: str, one: Any, other: Any, status: int, body: str | None) -> None:
    assert Mirror().verdict(request_, one, other, status, body) == "different"


def made() -> Mirror:
    mirror = Mirror()
    assert mirror.verdict("POST /orders", {"id": 1001}, {"id": 57}) == "noise"
    assert mirror.verdict("POST /orders", {"id": 1002}, {"id": 58}) == "noise"
    return mirror


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"orders": [{"id": 1001}, {"id": 1002}]}, {"orders": [{"id": 57}, {"id": 58}]}),
        ({"orderId": "1001"}, {"orderId": "57"}),
        ({"last": "/orders/1001/lines"}, {"last": "/orders/57/lines"}),
        ({"next": "http://a/x?order_id=1001&y=1"}, {"next": "http://a/x?order_id=57&y=1"}),
        ('<a href="/orders/1001">x</a>', '<a href="/orders/57">x</a>'),
        ('<form><input name="order_id" value="1001"></form>', '<form><input name="order_id" value="57"></form>'),
    ],
)
def test_later_responses(one: Any, other: Any) -> None:
    found = made().pair("GET /basket", one, other, 200)
    assert (found.verdict, {each.noise for each in found.differences}) == ("noise", {"new_id"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"orderId": 1001}, {"orderId": 58}),
        ({"orderId": 1001}, {"orderId": 99}),
        ({"orderId": 1003}, {"orderId": 57}),
        ({"orderId": 1003}, {"orderId": 59}),
        ({"count": 1001}, {"count": 57}),
        ({"customerId": 1001}, {"customerId": 57}),
        ({"x": "/orders/1001"}, {"x": "/orders/58"}),
        ({"x": "?order_id=1001"}, {"x": "?order_id=58"}),
        ({"x": "?count=1001"}, {"x": "?count=57"}),
        ({"x": "1001 of 1002"}, {"x": "57 of 58"}),
    ],
)
def test_what_contradicts_counts(one: Any, other: Any) -> None:
    assert made().verdict("GET /basket", one, other, 200) == "different"


def test_a_text_that_names_the_id_is_found_whatever_comes_first() -> None:
    one, other = ({"text": f"Order #{n} was made", "id": n} for n in (1001, 57))
    assert Mirror().verdict("POST /orders", one, other) == "noise"
    other["text"] = "Order #58 was made"
    assert Mirror().verdict("POST /orders", one, other) == "different"
    assert Mirror().verdict("POST /", {"text": "#1"}, {"text": "#2"}) == "different"


def test_one_number_of_the_mirror_stands_for_one_of_the_primary() -> None:
    mirror = made()
    assert mirror.verdict("POST /orders", {"id": 1003}, {"id": 57}) == "different"
    assert mirror.verdict("POST /orders", {"id": 1001}, {"id": 99}) == "different"


def test_an_id_that_later_responses_repeat() -> None:
    one, other = {"orders": [{"id": 1001}]}, {"orders": [{"id": 57}]}
    mirror = Mirror()
    for _ in range(3):  # nothing was made
        assert mirror.verdict("GET /orders", one, other, 200) == "different"
    mirror.pair("POST /orders", {}, {}, 202)
    assert mirror.verdict("GET /orders", one, other, 200) == "different"
    assert mirror.verdict("GET /orders", one, other, 200) == "noise"
    assert mirror.verdict("GET /orders", one, {"orders": [{"id": 58}]}, 200) == "different"


def test_with_shapes_off_ids_count() -> None:
    rules = Rules.parse("noise: {shapes: false}", "compare.yaml")
    assert Mirror().verdict("POST /orders", {"id": 1001}, {"id": 57}, rules=rules) == "different"


def test_memory_is_bounded() -> None:
    mirror = Mirror(most=10)
    for n in range(1, 100):
        assert mirror.verdict("POST /orders", {"id": 1000 + n}, {"id": n}) == "noise"
        mirror.verdict("GET /x", {"orderId": 2000 + n}, {"orderId": 3000 + n}, 200)
    assert mirror.verdict("GET /x", {"orderId": 1099}, {"orderId": 99}, 200) == "noise"
    assert mirror.verdict("GET /x", {"orderId": 1001}, {"orderId": 1}, 200) == "different"
    for n in range(1100):
        mirror.learned.posted(f"r{n}")
    assert mirror.verdict("POST /orders", {"id": 7}, {"id": 8}) == "noise"


def test_a_copy_learns_the_same() -> None:
    learned, copy = NewIds(50), NewIds(50)
    learned.posted("order")
    learned.stands_for("order", 1001, 57, new=True)
    learned.stands_for("order", 1002, 58, new=False)  # seen once
    assert learned.changes() is None  # nobody asked before: the snapshot is needed
    copy.replay(learned.snapshot())
    assert copy.stands_for("order", 1001, 57, new=False)
    learned.posted("user")
    learned.stands_for("order", 1003, 59, new=True)
    steps = learned.changes()
    assert steps == [("user", 0, 0, True), ("order", 1003, 59, True)]
    copy.changes()
    copy.replay(steps)
    assert copy.changes() == []  # what came from the other is not sent back
    assert copy.stands_for("order", 1003, 59, new=False)
    assert copy.stands_for("order", 1002, 58, new=False)  # seen twice
    assert copy.changes() == [("order", 1002, 58, False)]


def test_too_many_changes_are_a_snapshot() -> None:
    learned = NewIds(10)
    learned.changes()
    for n in range(1, 30):
        learned.stands_for("order", n, n + 100, new=True)
    assert learned.changes() is None
    assert len(learned.snapshot()) == 10
    assert learned.changes() == []
