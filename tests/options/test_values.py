from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.options import values
from mirror_addon.options.values import EndpointOverride
from mirror_addon.options.values import MirrorURL


@pytest.mark.parametrize(
    ("parse", "text", "parsed"),
    [
        (values.positive_duration, "1h1m1.5s", 3661.5),
        (values.duration, "0s", 0),
        (values.count, " 999999 ", 999_999),
        (values.size, "1 KiB", 1024),
        (values.methods, "all", None),
        (values.methods, "safe", values.SAFE_METHODS),
        (values.methods, "post , x-purge", frozenset({b"POST", b"X-PURGE"})),
        (values.expiry, "", None),
        (values.expiry, "90s", 90),
        (values.namespace, "a" * 63, "a" * 63),
        (values.host_suffix, ".shadow~1", ".shadow~1"),
        (values.listening_port, " 65535 ", 65535),
        (values.share, "12.5%", 0.125),
        (values.redacted, " Cookie,,X-A ", frozenset({b"cookie", b"x-a"})),
        (values.redacted, "$.A.b, form:Pass,query:T", frozenset({b"$.A.b", b"form:Pass", b"query:T"})),
        (values.any_text, "", ""),
        (values.parse_mirror_url, "http://user.test:0080/a%20b/", MirrorURL("http", "user.test", 80, "/a%20b")),
        (
            values.parse_endpoint,
            " b / v2 = 127.0.0.1:1 ".replace(" / ", "/"),
            EndpointOverride("b", "v2", "127.0.0.1", 1),
        ),
        (values.endpoint_override, "b=10.0.0.1:1", EndpointOverride("b", "", "10.0.0.1", 1)),
    ],
)
def test_values(parse: Callable[[str], Any], text: str, parsed: Any) -> None:
    assert parse(text) == parsed


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (values.positive_duration, "0s", "must be more than 0"),
        (values.duration, "-1ms", "must not be negative"),
        (values.count, "1000000", "must be a whole number, 1 or more"),
        (values.size, "0.4B", "must be a size, as in 64MiB or 500kB"),
        (values.methods, "GET,A B", "must be all, safe, or methods with commas, as in GET,HEAD"),
        (values.expiry, "2026-13-01", "must be a duration such as 2h, or a time such as"),
        (values.host_suffix, "/x", "must have characters of a host name only"),
        (values.namespace, "-a", "must be a Kubernetes namespace"),
        (values.namespace, "a" * 64, "must be a Kubernetes namespace"),
        (values.some_text, "\t", "must not be empty"),
        (values.endpoint_override, "b=10.0.0.256:1", "'10.0.0.256' is not an IP address"),
        (values.endpoint_override, "b=a host:1", "'a host' is no address; write an IP address or a host name"),
        (values.endpoint_override, "b=127.0.0.1 :1", "'127.0.0.1 ' is no address"),
        (values.endpoint_override, "b=[::1:1", "write HOST/SUBSET=ADDRESS:PORT"),
        (values.endpoint_override, "b=me@localhost:1", "'me@localhost' is no address"),
        (values.endpoint_override, "b=127.0.0.1,127.0.0.2:1", "'127.0.0.1,127.0.0.2' is no address"),
        (values.endpoint_override, "b=-h:1", "'-h' is no address"),
        (values.listening_port, "65536", "'65536' is not a port; ports are 1 to 65535"),
        (values.share, "100.1", "must be a percentage from 0% to 100%"),
        (values.redacted, "a:b", "'a:b' is not the name of a header field"),
        (values.redacted, "$", "'$' is the whole body; name a member"),
        (values.redacted, "$.a[?(@.b)]", "'$.a[?(@.b)]' cannot be parsed from character 4 on; filters"),
        (values.redacted, "form:", "'form:' names nothing; write form:NAME"),
        (values.parse_mirror_url, "http://h:0/", "port 0 cannot be connected to"),
        (values.parse_mirror_url, "http://u@h/", "only scheme, host, port and path are used here"),
        (values.parse_mirror_url, "http://h/ä", "percent-encode the path"),
        (values.parse_endpoint, "b=1.2.3.4:+5", "'+5' is not a port"),
        (values.parse_endpoint, "b:70000=1.2.3.4:5", "'70000' is not a port"),
    ],
)
def test_messages(parse: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parse(text)


def test_a_time_without_a_zone_is_local() -> None:
    moment = values.expiry("2026-11-22T20:00:00")
    assert not isinstance(moment, float) and moment is not None
    assert moment.tzinfo is not None
    assert moment.replace(tzinfo=None).isoformat() == "2026-11-22T20:00:00"
    other = values.expiry("2026-11-22T20:00:00+08:00")
    assert not isinstance(other, float) and other is not None
    assert other.utcoffset() == timedelta(hours=8)


def test_parsers_of_parsers() -> None:
    assert values.each(values.count)(["1", "22"]) == (1, 22)
    assert values.each(values.count)([]) == ()
    assert values.optional(values.count)("  ") is None
    assert values.optional(values.count)("3") == 3
    parse = values.one_of("a", "b")
    assert parse("b") == "b"
    with pytest.raises(ValueError, match="must be one of a, b"):
        parse("c")


@given(
    host=st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    subset=st.from_regex(r"[a-z0-9]{0,8}", fullmatch=True),
    address=st.ip_addresses(v=4) | st.ip_addresses(v=6),
    port=st.integers(1, 65535),
)
def test_every_endpoint_can_be_written(host: str, subset: str, address: Any, port: int) -> None:
    where = f"[{address}]" if address.version == 6 else str(address)
    text = f"{host}/{subset}={where}:{port}" if subset else f"{host}={where}:{port}"
    assert values.endpoint_override(text) == EndpointOverride(host, subset, str(address), port)


def test_the_port_of_a_service() -> None:
    found = values.parse_endpoint("reviews.prod:8080/v1=127.0.0.1:9001")
    assert (found.host, found.service_port, found.subset, found.port) == ("reviews.prod", 8080, "v1", 9001)
    assert values.parse_endpoint("reviews:v1=127.0.0.1:9001").host == "reviews:v1"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("|~d shop.test & ~u /v1|http://localhost:9002", ("localhost", 9002, "", "~d shop.test & ~u /v1")),
        ("#~d a | ~d b#https://h/base/", ("h", 443, "/base", "~d a | ~d b")),
        ("|~d a|http://h/x|y", ("h", 80, "/x|y", "~d a")),
        (",  ~m GET , http://[::1]:9 ", ("::1", 9, "", "~m GET")),
        ("http://h/x|y", ("h", 80, "/x|y", "")),
    ],
)
def test_filters_of_mirror_to(text: str, parsed: tuple[str, int, str, str]) -> None:
    url = values.parse_mirror_url(text)
    assert (url.host, url.port, url.path, url.filter) == parsed
    assert values.parse_mirror_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("|~d shop.test", r"write a URL, or \|FILTER\|URL"),
        ("|", r"write a URL, or \|FILTER\|URL"),
        ("||http://h", "the filter is empty"),
        ("|  |http://h", "the filter is empty"),
        ("|~d a|", "write a URL with http or https"),
        ("|~d a|localhost:9002", "write a URL with http or https"),
        ("|~d a | ~d b|http://h", r"where the filter has a \| in it, begin with another character, as in #"),
        ("~d shop.test|http://h", r"write a URL, or \|FILTER\|URL"),
        ("", "write a URL with http or https"),
    ],
)
def test_filters_of_mirror_to_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        values.parse_mirror_url(text)
