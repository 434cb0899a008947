from __future__ import annotations

import ast
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.suite.python import bytes_literal
from mirror_addon.compare.suite.python import docstring
from mirror_addon.compare.suite.python import json_literal
from mirror_addon.compare.suite.python import name_of
from mirror_addon.compare.suite.python import plain_json

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=30,
)
NASTY = st.text(st.sampled_from("\"'\\\n\r\t{}#%a\x00\u2028\u202e\ud800é"))


@given(st.binary() | NASTY.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(min_size=200))
def test_bytes(value: bytes) -> None:
    assert ast.literal_eval(bytes_literal(value, "    ").strip()) == value


@given(JSON | NASTY)
def test_documents(value: Any) -> None:
    body = json.dumps(value).encode()
    found = plain_json(body)
    assert found is not None
    assert ast.literal_eval(json_literal(found[0], " " * 8)) == value


@given(st.text() | NASTY)
def test_docstrings(text: str) -> None:
    source = f"def f():\n    {docstring(text)}\n    return 5\n"
    source.encode()
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef) and len(function.body) == 2
    assert "\n" not in docstring(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"1e-999",
        b"9" * 5000,
        b"[" * 41 + b"]" * 41,
        b"[" * 100_000,
    ],
)
def test_what_is_not_written_as_a_document(body: bytes) -> None:
    assert plain_json(body) is None


def test_what_is() -> None:
    assert plain_json(b"null") == (None,)
    assert plain_json(b'{"a": 0.0, "b": 1e3}') == ({"a": 0.0, "b": 1000.0},)
    assert plain_json(b"[" * 40 + b"]" * 40) is not None
    compile(json_literal(json.loads("[" * 40 + "]" * 40), ""), "", "eval")
    assert math.copysign(1, (plain_json(b"-0.0") or (0,))[0]) == -1


@given(st.text())
def test_names(text: str) -> None:
    assert f"test_{name_of(text)}".isidentifier()
    assert len(name_of(text)) <= 60


def test_a_name() -> None:
    assert name_of("GET /users/{id}/../../etc/passwd") == "get_users_id_etc_passwd"
