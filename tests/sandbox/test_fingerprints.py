from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.sandbox.fingerprints import MAX_PARSED
from mirror_addon.sandbox.fingerprints import canonical
from mirror_addon.sandbox.fingerprints import shape_of

JSON = b"application/json; charset=utf-8"
FORM = b"application/x-www-form-urlencoded"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
)


@given(VALUES)
def test_the_order_of_members_and_white_space_do_not_matter(value: Any) -> None:
    one, other = json.dumps(value).encode(), json.dumps(value, indent=2, sort_keys=True).encode()
    assert canonical(one, JSON, b"") == canonical(other, JSON, b"")
    assert shape_of(one, JSON, b"") == shape_of(other, JSON, b"")


@pytest.mark.parametrize(
    ("one", "other", "type", "alike"),
    [
        (b'{"a": 1}', b'{"a": 2.5}', JSON, True),
        (b'{"a": 1}', b'{"a": true}', JSON, False),
        (b'{"a": 1}', b'{"b": 1}', JSON, False),
        (b'{"a": [1]}', b'{"a": [1, 2]}', JSON, True),
        (b'{"a": [1]}', b'{"a": [1, "x"]}', JSON, False),
        (b"null", b"0", JSON, False),
        (b"a=1&b=2", b"b=&a=7", FORM, True),
        (b"a=1", b"b=1", FORM, False),
        (b"one", b"other", b"text/plain", True),
        (b"", b"x", b"text/plain", False),
        (b"{", b"[", JSON, True),
    ],
)
def test_shapes(one: bytes, other: bytes, type: bytes, alike: bool) -> None:
    assert (shape_of(one, type, b"") == shape_of(other, type, b"")) is alike


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[" * 5000, b"[" * 5000 + b"]" * 5000, b'"' + b"x" * MAX_PARSED + b'"', b"NaN", b'"\\ud800"'],
)
def test_what_is_not_parsed_is_bytes(body: bytes) -> None:
    canonical(body, JSON, b"")
    hash(shape_of(body, JSON, b""))
    assert canonical(body, b"text/plain", b"") == canonical(body, JSON, b"gzip") == body
    assert shape_of(None, JSON, b"") != shape_of(b"", JSON, b"")
    assert shape_of(b"&".join([b"a=1"] * 2000), FORM, b"") == (FORM, "bytes")
