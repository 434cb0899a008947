"""Bodies as what they are: by type, by first bytes, cut, coded, or lying about it."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare

Told = list[tuple[str, str]]


def response(body: bytes, content_type: str, coding: str = "", size: int | None = None) -> Answer:
    fields = [(b"Content-Type", content_type.encode())] if content_type else []
    fields += [(b"Content-Encoding", coding.encode())] if coding else []
    return Answer(200, tuple(fields), body, len(body) if size is None else size)


def bodies(one: bytes, other: bytes, content_type: str = "", other_type: str | None = None) -> Comparison:
    return compare(response(one, content_type), response(other, content_type if other_type is None else other_type))


def told(comparison: Comparison) -> Told:
    return [(each.path, each.kind) for each in comparison.differences if each.path != "header:content-type"]


@pytest.mark.parametrize(
    ("content_type", "one", "other", "path"),
    [
        ("application/json", b'{"a": 1}', b'{"a": 2}', "$.a"),
        ("application/problem+json", b'{"a": 1}', b'{"a": 2}', "$.a"),
        ("text/plain", b'{"a": 1}', b'{"a": 2}', "$.a"),
        ("text/html", b'  [{"a": 1}]', b'[{"a": 2}]', "$[*].a"),
        ("", b'\xef\xbb\xbf{"a": 1}', b'{"a": 2}', "$.a"),
        ("application/json", '{"a": 1}'.encode("utf-16"), '{"a": 2}'.encode("utf-16"), "$.a"),
        ("application/x-ndjson", b'{"a": 1}\n{"a": 2}\n', b'{"a": 1}\n{"a": 3}\n', "$[*].a"),
        ("application/xml", b"<a><b>1</b></a>", b"<a><b>2</b></a>", "/a/b/text()"),
        ("text/plain", b"<?xml version='1.0'?><a b='1'/>", b"<?xml version='1.0'?><a b='2'/>", "/a/@b"),
        ("text/html", b"<p>1</p>", b"<p>2</p>", "/html/body/p/text()"),
        ("", b"<!DOCTYPE html><p>1", b"<!doctype html><p>2", "/html/body/p/text()"),
        ("application/x-www-form-urlencoded", b"a=1&b=2", b"b=2&a=3", "form:a"),
        ("text/plain", b"one\ntwo", b"one\nthree", "body"),
        ("text/csv", b"a,1", b"a,2", "body"),
        ("image/png", b"\0\1", b"\0\2", "body"),
        ("", b"\xff\xfe\x00\x01", b"\xff\xfe\x00\x02", "body"),
        ("application/octet-stream", b"\x00\x00", b"\x00\x01", "body"),
    ],
)
def test_forms(content_type: str, one: bytes, other: bytes, path: str) -> None:
    found = bodies(one, other, content_type)
    assert told(found) == [(path, "value")]
    assert found.notes == ()


def test_multipart_whatever_the_boundary() -> None:
    one, other = (
        f'--{edge}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="b"; filename="f"\r\n\r\n{b}\r\n--{edge}--\r\n'.encode()
        for edge, b in (("x1", "2"), ("x2", "3"))
    )
    kinds = ("multipart/form-data; boundary=x1", "multipart/form-data; boundary=x2")
    found = bodies(one, other, *kinds)
    assert [(each.path, each.kind) for each in found.differences] == [("form:b", "value")]
    assert bodies(one, one.replace(b"x1", b"x2"), *kinds).verdict == "same"


@pytest.mark.parametrize(
    ("other", "note"),
    [
        (b'{"a": 1, "a": 2}', "shadow's body: duplicate key 'a', compared as text"),
        (b'{"a": NaN}', "shadow's body: invalid JSON (NaN is not a number), compared as text"),
        (b'{"a": 1', "shadow's body: invalid JSON (Expecting ',' delimiter at character 7), compared as text"),
    ],
)
def test_no_json(other: bytes, note: str) -> None:
    found = bodies(b'{"a": 1}', other, "application/json")
    assert (found.verdict, told(found), found.notes) == ("different", [("body", "value")], (note,))


def test_nested_too_deep() -> None:
    found = bodies(b"[" * 5000 + b"]" * 5000, b"[" * 5001 + b"]" * 5001, "application/json")
    assert found.verdict == "different"
    assert "nested too deep, compared as text" in found.notes[0]


def test_another_form() -> None:
    found = bodies(b'{"a": 1}', b"<html><h1>Oops", "application/json", "text/html")
    assert told(found) == [("body", "type")]
    assert [each.shadow for each in found.differences if each.path == "body"] == ["html: <html><h1>Oops"]


def test_empty() -> None:
    assert told(bodies(b'{"a": 1}', b"", "application/json")) == [("body", "missing")]
    assert told(bodies(b"", b'{"a": 1}', "application/json")) == [("body", "extra")]
    assert bodies(b"", b"", "application/json").verdict == "same"


CODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", CODERS)
def test_codings(coding: str) -> None:
    one, other = (CODERS[coding](json.dumps({"a": value}).encode()) for value in (1, 2))
    found = compare(response(one, "application/json", coding), response(other, "application/json", coding))
    assert told(found) == [("$.a", "value")]


def test_the_same_in_another_coding() -> None:
    text = b'{"a": 1}'
    found = compare(
        response(gzip.compress(text), "application/json", "gzip"),
        response(brotli.compress(text), "application/json", "br"),
    )
    assert told(found) == [("header:content-encoding", "value")]


def test_wrong_coding() -> None:
    found = compare(
        response(b'{"a": 1}', "application/json", "gzip"), response(b'{"a": 2}', "application/json", "gzip")
    )
    assert told(found) == [("$.a", "value")]
    assert "compared without decoding" in found.notes[0]


def test_a_coding_that_ends_too_early_is_a_difference() -> None:
    text = json.dumps({f"k{i}": i * i for i in range(500)}).encode()
    whole = gzip.compress(text)
    found = compare(response(whole, "application/json", "gzip"), response(whole[:-60], "application/json", "gzip"))
    assert found.verdict == "different"
    assert "shadow's body: its gzip coding ends too early" in found.notes


def test_bombs() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    other = brotli.compress(b"1" * 100_000_000)
    found = compare(response(bomb, "text/plain", "gzip"), response(other, "text/plain", "br"))
    assert found.verdict == "different"
    assert "primary's body decoded up to 33554432 bytes" in found.notes


def test_cut() -> None:
    one = response(b'{"a": 1, "b": 2, "c', "application/json", size=5000)
    other = response(b'{"a": 1, "b": 3, "c', "application/json", size=5000)
    found = compare(one, other)
    assert told(found) == [("body", "value")]
    assert "primary's body cut at 19 of 5000 bytes" in found.notes
    assert compare(one, one).verdict == "same"


def test_cut_and_what_follows_is_not_compared() -> None:
    one = response(b"a,b,c,d,e,f", "text/plain", size=5000)
    other = response(b"a,b,c,d,e,fx,g", "text/plain", size=5000)
    assert compare(one, other).verdict == "same"
    longer = response(b"a,b,c,d,e,f", "text/plain", size=6000)
    assert told(compare(one, longer)) == [("body", "length")]


def test_cut_with_noise() -> None:
    one = response(b'{"at": "2026-11-22T12:00:00Z", "x": [1, 2, 3,', "application/json", size=5000)
    other = response(b'{"at": "2026-11-22T12:00:01Z", "x": [1, 2, 3,', "application/json", size=5000)
    assert compare(one, other).verdict == "noise"


def test_charsets() -> None:
    one = response('{"a": "é"}'.encode("latin-1"), "application/json; charset=latin-1")
    other = response('{"a": "é"}'.encode(), "application/json; charset=utf-8")
    assert told(compare(one, other)) == []
    assert told(bodies("é".encode("latin-1"), "è".encode("latin-1"), "text/plain; charset=ISO-8859-1")) == [
        ("body", "value")
    ]
    found = bodies(b"\xe9", b"\xe8", "text/plain; charset=punycode")
    assert found.verdict == "different"
    assert "unknown charset" in found.notes[0]


def test_entity_bomb() -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    one, other = (
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><a b="{b}">&e11;</a>'.encode() for b in (1, 2)
    )
    found = bodies(one, other, "application/xml")
    assert found.verdict == "different"
    assert all(len(str(each.primary)) < 300 for each in found.differences)


def test_external_entities_are_not_read() -> None:
    one = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>'
    found = bodies(b'<?xml version="1.0"?>' + one, b'<?xml version="1.0"?><a>x</a>', "application/xml")
    assert [each.primary for each in found.differences] == ["&e;"]


def test_the_same_text_in_another_charset() -> None:
    found = compare(
        response("é".encode("latin-1"), "text/plain; charset=latin-1"), response("é".encode(), "text/plain")
    )
    assert told(found) == []
    assert found.notes == ("body: the same text in another charset",)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/vnd.x.v1+ndjson"])
def test_json_texts_in_a_row_under_any_name(kind: str) -> None:
    def answer(body: str) -> Answer:
        return Answer(200, ((b"content-type", kind.encode()),), body.encode(), len(body))

    one = answer('{"a": 1, "b": 2}\n{"c": 1}\n')
    assert compare(one, answer('{"b": 2, "a": 1}\n{"c": 1}\n')).verdict == "same"
    found = compare(one, answer('{"b": 2, "a": 1}\n{"c": 2}\n'))
    assert [each.path for each in found.differences] == ["$[*].c"]
    assert compare(one, answer('{"b": 2, "a": 1}\n{"c": 1\n')).verdict == "different"
    assert compare(one, answer('{"b": 2, "a": 1}')).verdict == "different"
