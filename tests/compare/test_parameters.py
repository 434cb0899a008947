"""Elements with parameters: dictionaries, links, challenges."""

from __future__ import annotations

import time

import pytest

from mirror_addon.compare.lists import in_one_spelling
from mirror_addon.compare.parameters import challenges
from mirror_addon.compare.parameters import dictionary
from mirror_addon.compare.parameters import with_parameters

Q = '"'


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("link", '</a>;rel=preload; as="script"', "</a>; AS=script; Rel=Preload"),
        ("link", '<https://x/a,b;c>; rel="next last"', "<https://x/a,b;c>;rel='last next'".replace("'", Q)),
        ("alt-svc", 'h3=":443"; ma=86400; persist=1, h2=":443"', 'h3=":443";persist=1;ma=86400,h2=":443"'),
        ("cache-status", "A; hit; ttl=30, B; fwd=miss", "A;ttl=30;hit, B;fwd=miss"),
        ("priority", "u=1, i", "i=?1, u=1"),
        ("priority", "u=1, u=2", "u=2"),
        ("permissions-policy", 'usb=(self "https://a"), camera=()', 'camera=(), usb=("https://a" self)'),
        ("reporting-endpoints", 'a="https://x/a", b="https://x/b"', 'b="https://x/b",a="https://x/a"'),
        ("no-vary-search", 'key-order, params=("a" "b")', 'params=("b" "a"),key-order'),
        ("ratelimit", "limit=10, remaining=9", "remaining=9, limit=10"),
        ("ratelimit-policy", '"default";q=100;w=10', '"default"; w=10; q=100'),
        ("cross-origin-opener-policy", 'same-origin; report-to="a"', "same-origin;report-to=a"),
        ("x-xss-protection", "1; mode=block", "1;mode=block"),
        ("www-authenticate", 'basic Realm="a"', "Basic realm=a"),
        ("www-authenticate", 'Bearer error="x", realm="a, b", Basic', 'bearer realm="a, b" , error=x, basic'),
        ("content-disposition", "attachment; filename*=UTF-8''%e2%82%ac", "attachment; filename*=utf-8''%E2%82%AC"),
    ],
)
def test_same(name: str, one: str, other: str) -> None:
    assert in_one_spelling(name, [one], [other]) is None


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("link", "</a>; rel=next", "</a>; rel=prev"),
        ("link", '</a>; rel=next; title="A"', '</a>; rel=next; title="a"'),
        ("link", "</a>; rel=next, </b>; rel=next", "</b>; rel=next, </a>; rel=next"),
        ("alt-svc", 'h3=":443"; ma=86400', 'h3=":443"; ma=8640'),
        ("cache-status", "A; hit", "A; fwd=miss"),
        ("cache-status", "A; hit, B; hit", "B; hit, A; hit"),
        ("priority", "u=1", "u=2"),
        ("priority", "i", "i=?0"),
        ("permissions-policy", "camera=()", "camera=(self)"),
        ("reporting-endpoints", 'a="https://x/a"', 'a="https://x/A"'),
        ("www-authenticate", 'Basic realm="a"', 'Basic realm="b"'),
        ("www-authenticate", "Negotiate abc==", "Negotiate abC=="),
        ("www-authenticate", 'Bearer realm="a", error=x, Basic', 'Bearer realm="a", Basic'),
        ("www-authenticate", "Negotiate, NTLM", "NTLM, Negotiate"),
        ("content-disposition", "attachment; filename*=UTF-8''a%20b", "attachment; filename*=UTF-8''a%20B"),
    ],
)
def test_different(name: str, one: str, other: str) -> None:
    parts = in_one_spelling(name, [one], [other])
    assert parts is not None
    assert parts[0] != parts[1]


def test_odd_elements_stay_what_they_are() -> None:
    assert challenges(["realm=a", "Basic"]) == ["realm=a", "basic"]
    assert challenges([""]) == [""]
    assert dictionary(["", "a;b"]) == ["=?1", "a=?1; b"]
    assert with_parameters("") == ""
    assert with_parameters("a; b*=c'd") == "a; b*=c'd"


@pytest.mark.parametrize("text", ["(" * 60000, '"' * 60001, "<(" * 30000, ";" * 60000, "a=(" * 20000, "nonce=" * 10000])
@pytest.mark.parametrize("name", ["link", "permissions-policy", "www-authenticate", "cache-status"])
def test_hostile_elements_take_linear_time(name: str, text: str) -> None:
    began = time.process_time()
    in_one_spelling(name, [text], [text + "x"])
    assert time.process_time() - began < 2
