"""Multipart bodies: their parts, and how these are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.multiparts import read_parts
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules

BODY = (
    b'preamble\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n'
    b"--b\r\n\r\nno name\r\n--b--\r\n"
)


def test_read_parts() -> None:
    fields = read_parts(BODY, "b")
    assert [part.shown() for part in fields["a"]] == ["1"]
    assert fields["f"][0].shown().startswith("(x.bin; image/png) 2 bytes, sha256 ")
    assert fields["part 2"][0].shown() == "no name"


@pytest.mark.parametrize("body", [b"", b"x", b"--b\r\nno header--b--", b"--b--", b"--b" * 20_000])
def test_no_read_parts(body: bytes) -> None:
    with pytest.raises(FormError):
        read_parts(body, "b")


@given(st.binary(), st.text(min_size=1, max_size=5))
def test_any_bytes(body: bytes, boundary: str) -> None:
    try:
        fields = read_parts(b"--b\r\n" + body + b"\r\n--b--", boundary)
    except FormError:
        return
    assert fields


def test_multipart_with_bare_line_feeds() -> None:
    body = b'--b\nContent-Disposition: form-data; name="a"\n\n1\n--b--\n'
    assert read_parts(body, "b")["a"][0].content == b"1"


@pytest.mark.parametrize(
    ("body", "boundary"), [(b"--b\r\nX: 1\r\n--b--\r\n", "b"), (b"--b\r\n\r\n1\r\n--b--", "\u0142")]
)
def test_malformed_read_parts(body: bytes, boundary: str) -> None:
    with pytest.raises(FormError, match=r"empty line|boundary"):
        read_parts(body, boundary)


def part(content: str, kind: str = "application/json", more: str = "") -> str:
    return f"--B\r\nContent-Type: {kind}\r\n{more}\r\n{content}\r\n"


def compared(
    one: str, other: str, rules: Rules = DEFAULT_RULES, kind: str = "mixed", boundary: str = "B"
) -> Comparison:
    def answer(body: str, boundary: str) -> Answer:
        data = (body + "--B--\r\n").replace("--B", f"--{boundary}").encode()
        return Answer(200, ((b"content-type", f"multipart/{kind}; boundary={boundary}".encode()),), data, len(data))

    return compare(answer(one, boundary), answer(other, "other"), rules)


def told(found: Comparison) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.where) for each in found.differences]


HTTP, FORM = "application/http", "application/x-www-form-urlencoded"
PART = ("form:part 0", "value", "form:part 0")
TEXT = part("x", "text/plain")
NAMED = 'Content-Disposition: form-data; name="meta"\r\n'
META, META_2 = part("{}", more=NAMED), part("[]", more=NAMED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (part('{"a": 1, "b": 2}'), part('{"b": 2.0, "a": 1}')),
        (part("<a><b/></a>", "application/xml"), part("<a> <b></b></a>", "application/xml")),
        (part('{"a": 1, "b": 2}', more=NAMED), part('{"b": 2, "a": 1}', more=NAMED)),
        (part("[1]", more=NAMED), part("[1]", more=NAMED.replace("; ", ";\r\n\t"))),
        (part("x", "text/plain; charset=utf-8"), part("x", "text/plain;charset=UTF-8")),
        (part('[]\n{"b": 2, "c": 3}', "application/jsonl"), part('[ ]\n{"c": 3, "b": 2}', "application/jsonl")),
        (
            part('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": 1, "b": 2}', HTTP),
            part('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"b": 2, "a": 1}', HTTP),
        ),
        (
            part('--C\r\nContent-Type: text/json\r\n\r\n{"a": 1, "b": 2}\r\n--C--', "multipart/mixed; boundary=C"),
            part('--D\r\nContent-Type: text/json\r\n\r\n{"b": 2, "a": 1}\r\n--D--', "multipart/mixed; boundary=D"),
        ),
    ],
)  # fmt: skip
def test_parts_are_compared_by_their_own_type(one: str, other: str) -> None:
    assert compared(one, other).verdict == "same"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (part('{"a": 1}'), part('{"a": 2}'), [("$.a", "value", "part 0 $.a")]),
        (part("x", "text/plain"), part("y", "text/plain"), [PART]),
        (part("x=1&y", HTTP), part("x=1&z", HTTP), [PART]),
        (part('{"a": 1}'), part('{"a": 1}', "text/json"), [PART]),
        (part('{"a": 1'), part('{"a": 2'), [PART]),
        (TEXT + TEXT, TEXT, [("form:part 1", "missing", "form:part 1")]),
        (META + META_2, META_2 + META, [("form:meta", "order", "form:meta")]),
        (META + META_2, META, [("form:meta", "length", "form:meta")]),
        (part("a=1", FORM), part("a=2", FORM), [PART]),
        (
            part("HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n{}", HTTP),
            part("HTTP/1.1 200 OK\r\nX-A: 2\r\n\r\n{}", HTTP),
            [("header:x-a", "value", "header:x-a")],
        ),
        (
            part("HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n{}", HTTP),
            part("HTTP/1.1 500 No\r\nX-A: 1\r\n\r\n{}", HTTP),
            [PART],
        ),
        (
            part('--C\r\nContent-Type: text/json\r\n\r\n{"a": 1}\r\n--C--', "multipart/mixed; boundary=C"),
            part('--C\r\nContent-Type: text/json\r\n\r\n{"a": 2}\r\n--C--', "multipart/mixed; boundary=C"),
            [("$.a", "value", "part 0/part 0 $.a")],
        ),
    ],
)  # fmt: skip
def test_what_differs_in_parts(one: str, other: str, found: list[tuple[str, str, str]]) -> None:
    assert told(compared(one, other)) == found


def test_a_rule_for_a_part_is_for_all_in_it() -> None:
    rules = Rules.parse("rules: [{path: 'form:meta', ignore: true}]", "compare.yaml")
    found = compared(part('{"a": 1}', more=NAMED), part('{"a": 2}', more=NAMED), rules)
    assert (found.verdict, found.differences[0].noise) == ("noise", "ignored")
    rules = Rules.parse("rules: [{path: '$..a', ignore: true}]", "compare.yaml")
    assert compared(part('{"a": 1}', more=NAMED), part('{"a": 2}', more=NAMED), rules).verdict == "noise"


def test_nested_too_deep() -> None:
    one = "x"
    for level in range(6):
        one = f"--L{level}\r\nContent-Type: multipart/mixed; boundary=L{level - 1}\r\n\r\n{one}\r\n--L{level}--"
    one = part(one, "multipart/mixed; boundary=L5")
    assert told(compared(one, one.replace("x\r\n", "y\r\n")))[0][0] == "form:part 0/part 0/part 0/part 0/part 0"


def test_a_part_of_too_many_parameters() -> None:
    """The standard library takes seconds for them."""
    head = b"Content-Disposition: form-data" + b";" * 500_000
    with pytest.raises(FormError, match="more than 100 parameters"):
        read_parts(b"--x\r\n" + head + b"\r\n\r\na\r\n--x--", "x")


@pytest.mark.parametrize(
    ("more", "other", "path"),
    [
        ("Content-Range: bytes 0-1/9\r\n", "Content-Range: bytes 1-2/9\r\n", "header:content-range"),
        ("", "X-A: 1\r\n", "header:x-a"),
        ("Content-ID: <a>\r\n", "Content-ID: <b>\r\n", "header:content-id"),
    ],
)
def test_fields_of_parts(more: str, other: str, path: str) -> None:
    found = compared(part("x", "text/plain", more), part("x", "text/plain", other))
    assert found.verdict == "different"
    assert [each.path for each in found.differences] == [path]


@pytest.mark.parametrize(
    ("more", "other"),
    [
        ("Vary: A, B\r\nContent-Length: 1\r\n", "vary: b,a\r\n"),
        ("Content-ID: <a1b2c3d4e5f6a7b8>\r\n", "Content-ID: <b1b2c3d4e5f6a7b9>\r\n"),
        ("Content-Transfer-Encoding: 8bit\r\n", "Content-Transfer-Encoding: binary\r\n"),
    ],
)
def test_fields_of_parts_that_say_the_same(more: str, other: str) -> None:
    assert compared(part("x", "text/plain", more), part("x", "text/plain", other)).verdict in ("same", "noise")


@pytest.mark.parametrize(
    ("coding", "content", "other", "verdict"),
    [
        ("base64", "eyJhIjoxLCJiIjoyfQ==", "eyJi\r\nIjoyLCJhIjoxfQ==", "same"),
        ("base64", "eyJhIjoxLCJiIjoyfQ==", "eyJhIjoxLCJiIjozfQ==", "different"),
        ("quoted-printable", '{"a":=\r\n1}', '{"a":1}', "same"),
        ("base64", "!", "!!", "different"),
    ],
)
def test_transfer_encodings_of_parts_are_undone(coding: str, content: str, other: str, verdict: str) -> None:
    more = f"Content-Transfer-Encoding: {coding}\r\n"
    assert compared(part(content, more=more), part(other, more=more)).verdict == verdict


def test_the_reason_of_a_response_in_a_batch_says_nothing() -> None:
    one, other = (part(f"HTTP/1.1 200 {reason}\r\n\r\n1", HTTP) for reason in ("OK", "Fine"))
    assert compared(one, other).verdict == "same"
    assert compared(one, other.replace("200", "201")).verdict == "different"


def test_a_body_without_its_last_delimiter() -> None:
    def answer(body: str, boundary: str) -> Answer:
        data = body.replace("--B", f"--{boundary}").encode()
        return Answer(200, ((b"content-type", f"multipart/mixed; boundary={boundary}".encode()),), data, len(data))

    one, other = part('{"a": 1, "b": 2}'), part('{"b": 2, "a": 1}')
    assert compare(answer(one, "x"), answer(other, "y")).verdict == "same"
    assert compare(answer(one, "x"), answer(part("{}"), "y")).verdict == "different"
    assert compare(answer(one + "--B--", "x"), answer(other, "y")).verdict == "different"
