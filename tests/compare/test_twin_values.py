from __future__ import annotations

import json
from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.twin_values import ANYWHERE
from mirror_addon.compare.twin_values import Foreign
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues

UUID = "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a"


def answer(document: Any, *fields: tuple[bytes, bytes]) -> Answer:
    body = json.dumps(document).encode()
    return Answer(200, ((b"content-type", b"application/json"), *fields), body, len(body))


def compared(primary: Answer, shadow: Answer, twin: TwinValues, **more: Any) -> Comparison:
    return compare(primary, shadow, method="GET", url="http://b/orders/1007", twin=twin, **more)


def test_each_side_s_own_id_is_no_difference() -> None:
    twin = TwinValues(frozenset({("$.id", "1007", UUID), ("header:location", "/orders/1007", "/orders/2001")}))
    found = compared(
        answer({"id": 1007, "quantity": 1007}, (b"Location", b"/orders/1007")),
        answer({"id": UUID, "quantity": 1007}, (b"Location", b"/orders/2001")),
        twin,
    )
    assert found.verdict == "noise"
    assert {each.noise for each in found.differences} == {"twin"}


def test_a_number_that_looks_alike_is_one() -> None:
    twin = TwinValues(frozenset({("$.id", "1007", "2001"), (ANYWHERE, UUID, "other")}))
    found = compared(answer({"id": 1007, "quantity": 1007}), answer({"id": 2001, "quantity": 2001}), twin)
    assert [each.path for each in found.differences if not each.noise] == ["$.quantity"]
    assert twin.are_same("$.anything", UUID, "other")
    assert not twin.are_same("$.id", True, 2001) and not twin.are_same("$.id", None, [])


def test_the_primary_s_id_is_a_finding() -> None:
    twin = TwinValues(foreign=(Foreign("$.order['the id']", "$.order['the id']", 1007, "2001"),))
    same = answer({"order": {"the id": 1007}})
    found = compared(same, same, twin)
    assert (found.verdict, [each.kind for each in found.differences]) == ("different", ["primary_id"])
    (cause,) = causes_of(found.differences, "GET /orders/{id}")
    assert cause.title == "$.order['the id'] is the primary's id, not the mirror's own"
    ignored = compared(same, same, twin, rules=DEFAULT_RULES.ignoring("$.order"))
    assert ignored.verdict == "noise"


@pytest.mark.parametrize("path", ["header:location", "$.a" + "[*]" * 100, "$.a…"])
def test_it_is_a_finding_at_any_path(path: str) -> None:
    found = compared(answer({}), answer({}), TwinValues(foreign=(Foreign(path, path, "7", "8"),)))
    assert found.verdict == "different"


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("path[1]", ("p", "m")),
        ("cookie:sid", ("[redacted]", "[redacted]")),
        ("header:authorization", ("[redacted]", "[redacted]")),
        ("header:referer path[1]", ("p", "m")),
    ],
)
def test_what_is_redacted_in_a_request_is_in_its_translations(where: str, shown: tuple[str, str]) -> None:
    redaction = Redaction(["Cookie", "Authorization", "$.pin", "form:card", "query:token"], b"key")
    found = redaction.translation(Translation(where, "p", "m", "f/1"))
    assert (found.primary, found.shadow) == shown
    for place in ("$.pin", "form:card", "query:token"):
        hidden = redaction.translation(Translation(place, "p", "m", "f/1"))
        assert "redacted" in hidden.primary and "redacted" in hidden.shadow
