from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.compare.calls import Call
from mirror_addon.compare.calls import call_differences
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin.calls import with_own_names

KNOWN = TwinValues(frozenset({("$.id", "1007", "2001")}))
WIDE = "0b5f1c9e-8f0e-4a4e-9d0c-1f2e3d4c5b6a"


def noise_of(path: str, primary: Any, shadow: Any, kind: str = "value", known: TwinValues = KNOWN) -> str:
    call = Call("POST", "http://pay.test/charges", "different", (Difference(path, kind, primary, shadow),))
    (judged,) = with_own_names([call], known, (Translation("path[1]", "7", WIDE, "a/1"),))
    (difference,) = judged.differences
    return difference.noise


@pytest.mark.parametrize(
    ("path", "primary", "shadow"),
    [
        ("$.order_id", 1007, 2001),
        ("$.order_id", "1007", 2001),
        ("$.lines[*].orderId", 1007, 2001),
        ("query:order_id", "1007", "2001"),
        ("form:order_id", "1007", "2001"),
        ("$.order_id", 7, WIDE),
    ],
)
def test_two_names_of_one_thing_do_not_differ(path: str, primary: Any, shadow: Any) -> None:
    assert noise_of(path, primary, shadow) == "twin"
    assert noise_of(path, primary, shadow, "type") == "twin"


@pytest.mark.parametrize(
    ("path", "primary", "shadow"),
    [
        ("$.amount", 1007, 2001),
        ("$.order_id", 1007, 2002),
        ("$.order_id", 2001, 1007),
        ("$.order_id", True, 2001),
        ("$.order_id", None, 2001),
        ("$.order_id", [1007], 2001),
    ],
)
def test_what_only_looks_alike_differs(path: str, primary: Any, shadow: Any) -> None:
    assert noise_of(path, primary, shadow) == ""


def test_a_missing_field_and_what_has_a_reason_stay() -> None:
    assert noise_of("$.order_id", 1007, 2001, "missing") == ""
    call = Call("GET", "http://pay.test/", "different", (Difference("$.order_id", "value", 1007, 2001, "ignored"),))
    assert with_own_names([call], KNOWN, ()) == (call,)


def test_a_call_that_differs_by_its_own_ids_alone_is_no_finding() -> None:
    own = Difference("$.order_id", "value", 1007, 2001)
    amount = Difference("$.amount", "value", 40, 41)
    calls = [Call("POST", "http://pay.test/charges", "different", each) for each in ((own,), (own, amount))]
    assert with_own_names(calls, TwinValues(), ()) == tuple(calls)
    alone, both = with_own_names(calls, KNOWN, ())
    assert call_differences([alone]) == []
    assert [each.path for each in call_differences([both])] == ["call:POST pay.test/charges $.amount"]
