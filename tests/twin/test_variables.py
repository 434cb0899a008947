from __future__ import annotations

import pytest
from twintools import World
from twintools import answer
from twintools import call

from mirror_addon.twin.variables import place_of
from mirror_addon.twin.variables import query_of


@pytest.mark.parametrize(
    ("query", "path", "place"),
    [
        ("query ($id: ID!) { order(id: $id) { id } }", "$.variables.id", ("$.order.id", "id")),
        ("query Q($x: ID!, $n: Int) { order(id: $x, first: $n) { id } }", "$.variables.x", ("$.order.id", "id")),
        ("query Q($x: ID!, $n: Int) { order(id: $x, first: $n) { id } }", "$.variables.n", ("$.order.first", "first")),
        ("{ orders(ids: $ids) { id } }", "$.variables.ids[*]", ("$.orders.ids[*]", "ids")),
        ("{ orders(ids: [$one, $two]) { id } }", "$.variables.one", ("$.orders.ids", "ids")),
        ("mutation { updateOrder(input: {id: $id}) { id } }", "$.variables.id", ("$.Order.id", "id")),
        ("mutation { updateOrder(input: $in) { id } }", "$.variables.in.id", ("$.Order.id", "id")),
        ("{ a(id: $id) # b(id: $other)\n c(text: \"d(id: $id)\") }", "$.variables.id", ("$.a.id", "id")),
        ("{ a(id: $other) }", "$.variables.id", None),
        ("{ a(id: $id) }", "$.extensions.id", None),
        ("(((", "$.variables.id", None),
    ],
)  # fmt: skip
def test_places(query: str, path: str, place: tuple[str, str] | None) -> None:
    assert place_of(query, path, path.rpartition(".")[2].removesuffix("[*]")) == place


@pytest.mark.parametrize(
    "document", [None, [], {"query": "{a}"}, {"query": 7, "variables": {}}, {"variables": {"a": 1}}]
)
def test_what_is_no_operation_with_variables(document: object) -> None:
    assert query_of(document) == ""


def operation(query: str, **variables: object) -> object:
    return {"query": query, "variables": variables}


def test_an_order_that_a_mutation_made() -> None:
    world = World()
    made = call("POST", "/graphql", operation("mutation ($n: Int) { createOrder(total: $n) { id total } }", n=1007))
    world.pair(
        made,
        answer({"data": {"createOrder": {"id": "1007", "total": 1007}}}),
        answer({"data": {"createOrder": {"id": "2001", "total": 1007}}}),
    )
    asked = {
        "query ($id: ID!) { order(id: $id) { total } }": {"id": "1007"},
        "query ($x: ID!) { order(id: $x) { total } }": {"x": "1007"},
        "query ($orderId: ID!) { order(id: $orderId) { total } }": {"orderId": "1007"},
        "mutation ($in: OrderInput) { updateOrder(input: $in) { id } }": {"in": {"id": "1007"}},
    }
    for query, variables in asked.items():
        body = world.sent(call("POST", "/graphql", operation(query, **variables))).body
        assert body is not None and b'"2001"' in body and b"1007" not in body, query
    others = {
        "query ($id: ID!) { user(id: $id) { name } }": {"id": "1007"},
        "query ($n: Int) { orders(first: $n) { id } }": {"n": 1007},
        "query ($id: ID!) { order(total: $id) { id } }": {"id": "1007"},
    }
    for query, variables in others.items():
        unlike = call("POST", "/graphql", operation(query, **variables))
        assert world.sent(unlike) == unlike, query
