"""Values as they are shown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.values import shown


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ({"a": [1, "x"]}, {"a": [1, "x"]}),
        ([], []),
        (2**63, "9223372036854775808"),
        (Decimal("1e999999"), "1E+999999"),
        ("x" * 300, "x" * 199 + "…"),
        ("\ud800", "\\ud800"),
    ],
)
def test_shown(value: Any, told: Any) -> None:
    assert shown(value) == told


def test_big_values_are_cut_short() -> None:
    assert len(shown(list(range(10**6)))) == 200
    assert len(shown(9**9**5)) <= 200
    assert len(shown({"x" * 10**6: "y" * 10**6})) == 200


@given(
    st.recursive(st.none() | st.integers() | st.text() | st.decimals(allow_nan=False), lambda inner: st.lists(inner))
)
def test_fit_for_every_reader(value: Any) -> None:
    json.dumps(shown(value), allow_nan=False).encode()
