"""JSON read exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('[{"b": {"a": 1, "a": 1}}]', "duplicate key 'a'"),
        ("NaN", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[1,]", "invalid JSON"),
        ("", "invalid JSON"),
        ("{'a': 1}", "invalid JSON"),
        ("[" * 100_000, "nested too deep"),
        ("[1e99999999999999999999]", "number that is too large"),
        ("[" + "[],{}," * 1_000_000 + "1]", "too many values"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(JsonError, match=said):
        read_json(text)


def test_byte_order_mark() -> None:
    assert read_json("\ufeff[1]") == [1]


def test_more_digits_than_python_takes() -> None:
    assert read_json("9" * 6000) == Decimal("9" * 6000)
    assert read_json("9" * 6000) != Decimal("9" * 5999 + "8")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1e23", "1" + "0" * 23),
        ("0.1", "0.10000000000000000000000"),
        ("1e-400", "10e-401"),
        ("1e2", "100"),
    ],
)
def test_one_value_in_two_spellings(one: str, other: str) -> None:
    assert read_json(one) == read_json(other)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_equal_by_value(one: Decimal, other: Decimal) -> None:
    assert (read_json(str(one)) == read_json(str(other))) == (one == other)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_as_json_does(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
