"""Responses that repeat what the proxy changed in a shadow's request, and those that differ besides."""

from __future__ import annotations

import base64
import json
import time

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.echoes import Echo
from mirror_addon.compare.echoes import asked_by

HOST, SHADOW = "api.example.test", "api.example.test-shadow"
ASKED = Asked(SHADOW.encode(), HOST.encode(), b"10.0.0.5", b"203.0.113.7")
ALONE = Asked(SHADOW.encode(), HOST.encode(), b"10.0.0.5", b"")
Fields = list[tuple[str, str]]
HTML: Fields = [("content-type", "text/html")]
JSON: Fields = [("content-type", "application/json")]
TEXT: Fields = [("content-type", "text/plain")]


def compared(
    one: str, other: str, fields: Fields, others: Fields | None = None, asked: Asked | None = ASKED
) -> Comparison:
    def answer(body: str, headers: Fields, asked: Asked | None) -> Answer:
        encoded = tuple((name.encode(), value.encode()) for name, value in headers)
        return Answer(200, encoded, body.encode(), len(body), asked=asked)

    return compare(answer(one, fields, None), answer(other, fields if others is None else others, asked))


def reasons(found: Comparison) -> set[str]:
    return {each.noise for each in found.differences}


def both(template: str) -> tuple[str, str]:
    return template.replace("HOST", HOST), template.replace("HOST", SHADOW)


BODIES: list[tuple[str, Fields]] = [
    ('{"next": "http://HOST/items?page=2"}', JSON),
    ('{"next": "http:\\/\\/HOST:8080\\/items", "n": [1, 2]}', JSON),
    ('{"links": ["http://HOST/a", "http://HOST/b", "//cdn.HOST/c"], "cb": "x?u=http%3A%2F%2FHOST%2Fa"}', JSON),
    ('{"login": "https://login.example/?next=http%253A%252F%252FHOST%252Fa"}', JSON),
    ('{"by": {"http://HOST/a": 1}, "text": "line\\nHOST"}', JSON),
    ('<html><script>var a = "http\\x3A\\x2F\\x2FHOST\\x2Fx";</script></html>', HTML),
    ('<a href="http://HOST/x">HOST</a>', HTML),
    ("<?xml version='1.0'?><a b='http://HOST/'>x</a>", [("content-type", "text/xml")]),
    ("see http://HOST/ or HOST.\nwell", TEXT),
    ("host=HOST&a=1", [("content-type", "application/x-www-form-urlencoded")]),
    ("\0\1HOST\2", [("content-type", "application/octet-stream")]),
]


@pytest.mark.parametrize(("body", "fields"), BODIES)
def test_a_repeated_host_is_noise(body: str, fields: Fields) -> None:
    found = compared(*both(body), fields)
    assert (found.verdict, reasons(found)) == ("noise", {"echo"})


@pytest.mark.parametrize(("body", "fields"), BODIES)
def test_what_differs_besides_counts(body: str, fields: Fields) -> None:
    one, other = both(body)
    assert compared(one, other.replace(SHADOW, "api.other.test"), fields).verdict == "different"
    assert compared(one.replace(HOST, "api.other.test"), other, fields).verdict == "different"
    assert compared(one, other, fields, asked=None).verdict == "different"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("location", "http://HOST/x"),
        ("content-location", "//HOST:81/x"),
        ("link", '<http://HOST/a>; rel="next"'),
        ("set-cookie", "lang=en; Domain=HOST"),
        ("set-cookie", "lang=en; Domain=.HOST; Path=/"),
        ("content-security-policy", "img-src HOST"),
        ("x-served-by", "HOST"),
        ("refresh", "5; url=http://HOST/"),
    ],
)
def test_header_fields(name: str, value: str) -> None:
    one, other = both(value)
    found = compared("x", "x", [(name, one)], [(name, other)])
    assert (found.verdict, reasons(found)) == ("noise", {"echo"})
    assert compared("x", "x", [(name, one)], [(name, other.replace("HOST", "b.test") + "y")]).verdict == "different"


def test_both_reasons_may_be_there() -> None:
    one, other = both('{"next": "http://HOST/x?t=2026-11-22T12:00:00Z", "id": 1, "at": "2026-11-22T12:00:00Z"}')
    found = compared(one, other.replace("12:00:00", "12:00:01"), JSON)
    assert {(each.path, each.noise) for each in found.differences} == {("$.next", "time"), ("$.at", "time")}
    other = other.replace('"id": 1', '"id": 2')
    assert [each.path for each in compared(one, other, JSON).differences if not each.noise] == ["$.id"]


def test_a_host_within_a_longer_name_is_another_one() -> None:
    short = Asked(b"a-shadow", b"a")
    assert (
        compared('{"x": "data", "y": "a"}', '{"x": "data-shadow", "y": "a-shadow"}', JSON, asked=short).verdict
        == "different"
    )
    assert compared('{"x": "a"}', '{"x": "a-shadows"}', JSON, asked=short).verdict == "different"
    assert compared('{"x": "a"}', '{"x": "a-shadow"}', JSON, asked=short).verdict == "noise"


def test_a_host_in_lower_case() -> None:
    asked = Asked(b"API.test-shadow", b"API.test")
    assert compared('{"x": "api.test"}', '{"x": "api.test-shadow"}', JSON, asked=asked).verdict == "noise"


def test_a_token_says_who_issued_it() -> None:
    def token(host: str) -> str:
        parts = [{"alg": "HS256"}, {"iss": f"http://{host}/", "aud": [1]}]
        return ".".join(
            [*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().strip("=") for p in parts), "c2ln"]
        )

    one, other = (json.dumps({"token": token(host)}) for host in (HOST, SHADOW))
    assert compared(one, other, JSON).verdict == "noise"
    assert compared(one, json.dumps({"token": token("b.test")}), JSON).verdict == "different"


@pytest.mark.parametrize(
    ("one", "other", "asked"),
    [
        # httpbin
        ('{"origin": "203.0.113.7"}', '{"origin": "203.0.113.7, 10.0.0.5"}', ASKED),
        ('{"origin": "203.0.113.7"}', '{"origin": "203.0.113.7,10.0.0.5"}', ASKED),
        ('{"headers": {"Host": "api.example.test"}}', '{"headers": {"Host": "api.example.test-shadow"}}', ASKED),
        ('{"headers": {"Host": "x"}}', '{"headers": {"Host": "x", "X-Forwarded-For": "10.0.0.5"}}', ALONE),
        ('{"headers": {}}', '{"headers": {"X-Forwarded-For": ["10.0.0.5"]}}', ALONE),
        ('{"headers": {"Connection": "keep-alive", "Te": "trailers"}}', '{"headers": {}}', ASKED),
        ('{"request_headers": {"HTTP_CONNECTION": "close"}}', '{"request_headers": {}}', ASKED),
        # Express: req.ips
        ('{"ips": ["203.0.113.7"]}', '{"ips": ["203.0.113.7", "10.0.0.5"]}', ASKED),
        # the last hop is taken for the client
        ('{"ip": "203.0.113.7"}', '{"ip": "10.0.0.5"}', ASKED),
        ('{"ip": "127.0.0.1"}', '{"ip": "10.0.0.5"}', ALONE),
        ('{"ip": "::1"}', '{"ip": "10.0.0.5"}', ALONE),
        ('{"text": "You are 127.0.0.1."}', '{"text": "You are 10.0.0.5."}', ALONE),
        ("Host: a\nAccept: b", "Host: a\nX-Forwarded-For: 10.0.0.5\nAccept: b", ALONE),
    ],
)  # fmt: skip
def test_repeated_hops_are_noise(one: str, other: str, asked: Asked) -> None:
    found = compared(one, other, TEXT, asked=asked)
    assert found.verdict in ("noise", "same")
    assert reasons(found) <= {"echo"}


@pytest.mark.parametrize(
    ("one", "other", "asked"),
    [
        ('{"origin": "203.0.113.7"}', '{"origin": "203.0.113.8, 10.0.0.5"}', ASKED),
        ('{"origin": "203.0.113.7"}', '{"origin": "203.0.113.7, 10.0.0.6"}', ASKED),
        ('{"origin": "203.0.113.7"}', '{"origin": "203.0.113.7, 10.0.0.55"}', ASKED),
        ('{"ip": "203.0.113.9"}', '{"ip": "10.0.0.5"}', ASKED),
        ('{"ip": "localhost"}', '{"ip": "10.0.0.5"}', ALONE),
        ('{"ip": "127.0.0.1"}', '{"ip": "10.0.0.6"}', ALONE),
        ('{"headers": {}}', '{"headers": {"X-Forwarded-For": "10.0.0.6"}}', ALONE),
        ('{"headers": {}}', '{"headers": {"X-Forwarded-For": "10.0.0.5"}}', ASKED),
        ('{"a": {"Connection": "keep-alive"}}', '{"a": {}}', ASKED),
        ('{"a": 1}', '{"a": 1, "b": "10.0.0.5"}', ALONE),
        ('{"a": 1}', '{"a": 1, "b": 5}', ALONE),
        ('{"ip": "' + "1" * 2000 + '"}', '{"ip": "10.0.0.5"}', ALONE),
        ('{"ip": 1}', '{"ip": "10.0.0.5"}', ALONE),
    ],
)
def test_other_addresses_count(one: str, other: str, asked: Asked) -> None:
    assert compared(one, other, TEXT, asked=asked).verdict == "different"


def test_a_cut_body_that_repeats_the_host() -> None:
    asked = Asked(b"a-shadow", b"a")
    one = Answer(200, (), b"http://a/1 and", 5000)
    other = Answer(200, (), b"http://a-shadow/1 and", 5070, asked=asked)
    assert compare(one, other).verdict == "noise"


def test_how_a_mirror_was_asked() -> None:
    fields = ((b"accept", b"*"), (b"x-forwarded-for", b"1.1.1.1, 2.2.2.2,10.0.0.5"))
    assert asked_by(b"a-shadow:80", fields, b"-shadow") == Asked(b"a-shadow", b"a", b"10.0.0.5", b"1.1.1.1, 2.2.2.2")
    assert asked_by(b"[::1]-shadow", (), b"-shadow") == Asked(b"[::1]-shadow", b"[::1]", b"", b"")
    assert asked_by(b"a", ((b"X-Forwarded-For", b"10.0.0.5"),), b"") == Asked(b"a", b"a", b"10.0.0.5", b"")


def test_nothing_to_undo() -> None:
    data = b"a-shadow"
    assert Echo(Asked(b"a", b"a"), {}).undone(data) is data
    assert Echo(None, {}).undone(data) is data
    assert Echo(Asked(b"-shadow", b""), {}).undone(data) is data


def test_hostile_bodies_and_fields_take_bounded_time() -> None:
    hops = b",".join([b"1.1.1.1"] * 120)
    asked = Asked(b"a-shadow", b"a", b"1.1.1.1", hops)
    began = time.process_time()
    for text in ("1.1.1.1, " * 20000, "1.1.1.1" + " " * 200000 + ",1.1.1.1", "a-shadow" * 20000, '", ' * 50000):
        compared(text, text + "1.1.1.1", TEXT, asked=asked)
    compared("x", "1.1.1.1", TEXT, asked=Asked(b"a-shadow", b"a", b"1.1.1.1", b"1," * 5000))
    assert time.process_time() - began < 10
