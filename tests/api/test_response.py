from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from messagetools import descriptors
from messagetools import grpc
from messagetools import order

from mirror_addon.api.response import Response
from mirror_addon.api.response import compare_responses
from mirror_addon.compare.rules import Rules

JSON = [("Content-Type", "application/json")]


def test_header_fields() -> None:
    response = Response(200, [("Vary", "a"), ("X", "1"), ("vary", "b")])
    assert (response.header("VARY"), response.header("none")) == ("a, b", None)


def test_structure_rules_and_control() -> None:
    first, second = Response(200, JSON, b'{"a": 1}'), Response(200, JSON, b'{"a": 2}')
    assert compare_responses(first, second).verdict == "different"
    rules = Rules.parse("rules: [{path: $.a, ignore: true, endpoint: GET /x}]", "c")
    assert compare_responses(first, second, rules=rules, method="GET", url="http://h/x").verdict == "noise"
    assert compare_responses(first, second, rules=rules, method="GET", url="http://h/y").verdict == "different"
    assert compare_responses(first, second, control=Response(200, JSON, b'{"a": 3}')).verdict == "noise"


def test_codings_are_undone_and_parts_are_parts() -> None:
    coded = Response(200, [*JSON, ("Content-Encoding", "gzip")], gzip.compress(b'{"a": 1}'))
    assert compare_responses(Response(200, JSON, b'{"a":1}'), coded).verdict == "different", "the coding is a field"
    paths = [each.path for each in compare_responses(Response(200, JSON, b'{"a":1}'), coded).differences]
    assert paths == ["header:content-encoding"]
    cut = compare_responses(Response(200, [], b"abc", size=9), Response(200, [], b"abc", size=9))
    assert cut.notes[0].startswith("primary's body cut at 3 of 9")


def test_no_response_and_any_text() -> None:
    assert compare_responses(Response(200), Response(None, error="timeout")).verdict == "failed"
    odd = Response(200, [("X", "\u20ac\udcff")], b"")
    assert compare_responses(odd, odd).verdict == "same"


def test_messages(tmp_path: Path) -> None:
    (tmp_path / "types.desc").write_bytes(descriptors())
    one, other = (
        Response(200, [("content-type", "application/grpc")], grpc(order(small=number)).body) for number in (1, 2)
    )
    found = compare_responses(one, other, url="http://h/shop.Shop/Get", protos=[tmp_path / "types.desc"])
    assert [each.path for each in found.differences] == ["$.small"]
    with pytest.raises(ValueError, match="no such file"):
        compare_responses(one, other, protos=["gone"])
