from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twintools import call

from mirror_addon.twin.own_calls import MOST_OTHERS
from mirror_addon.twin.own_calls import AsPrimary
from mirror_addon.twin.own_calls import as_primary
from mirror_addon.twin.requests import Call
from mirror_addon.twin.texts import Texts
from mirror_addon.twin.twin_map import Entry
from mirror_addon.twin.twin_map import TwinMap

UUID = "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a"


def known(*learned: tuple[str, str, str, str]) -> TwinMap:
    """Resource, the primary's value, the mirror's, and the scope."""
    made = TwinMap(Texts())
    for number, (resource, primary, own, scope) in enumerate(learned):
        made.learn(("id", resource, primary), scope, Entry(own, f"p{number}"))
    return made


def others(found: AsPrimary) -> set[bytes]:
    return {each.path for each in found.others}


def test_nothing_is_known() -> None:
    asked = call("GET", "/orders/2001")
    assert as_primary(known(), asked) == AsPrimary(asked)
    assert as_primary(known(("order", "1001", "2001", "")), call("GET", "/rates")) == AsPrimary(call("GET", "/rates"))


def test_an_id_that_stands_behind_something_else_is_unsure() -> None:
    made = known(("order", "1001", "2001", ""), ("user", "5", "2001", ""))
    found = as_primary(made, call("GET", "/orders/2001/payments/2001?order_id=2001"))
    assert found.call.path == b"/orders/1001/payments/2001?order_id=1001"
    assert others(found) == {
        b"/orders/1001/payments/1001?order_id=1001", b"/orders/1001/payments/5?order_id=1001",
    }  # fmt: skip
    assert {each.where for other in found.others for each in other.translations} == {
        "path[1]", "path[3]", "query:order_id",
    }  # fmt: skip


def test_what_it_stands_below_decides_which_of_two_it_is() -> None:
    made = known(
        ("order", "1001", "2001", ""), ("order", "1002", "2002", ""),
        ("item", "3", "1", "order:1001"), ("item", "9", "1", "order:1002"),
    )  # fmt: skip
    assert as_primary(made, call("GET", "/orders/2001/items/1")).call.path == b"/orders/1001/items/3"
    assert as_primary(made, call("GET", "/orders/2002/items/1")).call.path == b"/orders/1002/items/9"
    assert as_primary(made, call("GET", "/items/1")).call.path == b"/items/1", "of which order?"


def test_a_wide_id_is_itself_wherever_it_stands() -> None:
    found = as_primary(known(("order", "1001", UUID, "")), call("POST", f"/payments/{UUID}", {"x_id": UUID}))
    assert (found.call.path, found.call.body) == (b"/payments/1001", b'{"x_id": "1001"}')
    assert found.others == ()


def test_headers() -> None:
    made = TwinMap(Texts())
    made.learn(("token", "", "of-v1"), "c", Entry("of-v2", "p"))
    made.learn(("cookie", "sid", "1"), "c", Entry("2", "p"))
    fields = ((b"Authorization", b"Bearer of-v2"), (b"Cookie", b"a=2; sid=2"))
    found = as_primary(made, Call(b"GET", b"/x", fields))
    assert found.call.headers == ((b"Authorization", b"Bearer of-v1"), (b"Cookie", b"a=2; sid=1"))


def test_others_are_bounded() -> None:
    made = known(*((name, f"1{number}", "7", "") for number, name in enumerate(("order", "user", "cart", "item"))))
    found = as_primary(made, call("GET", "/a/7/b/7/c/7/d/7"))
    assert len(found.others) == MOST_OTHERS


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), unique_by=(lambda e: e[0], lambda e: e[1]), max_size=9)
)
def test_each_own_id_becomes_the_primary_s_and_nothing_else_changes(pairs: list[tuple[int, int]]) -> None:
    made = known(*(("order", str(one), str(other), "") for one, other in pairs))
    back = {other: one for one, other in pairs}
    for own in range(1, 10):
        found = as_primary(made, call("POST", f"/orders/{own}?page={own}", {"order_id": own, "quantity": own}))
        one = back.get(own, own)
        assert found.call.path == f"/orders/{one}?page={own}".encode()
        assert found.call.body == b'{"order_id": %d, "quantity": %d}' % (one, own)
