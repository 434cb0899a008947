from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.processor.arrived import Arrived
from mirror_addon.processor.arrived import read_request
from mirror_addon.processor.arrived import read_response
from mirror_addon.processor.arrived import service_time
from mirror_addon.processor.arrived import split_address
from mirror_addon.processor.arrived import without_hop
from mirror_addon.processor.events import Head

PSEUDO = ((b":authority", b"a.test:8080"), (b":path", b"/x?y"), (b":method", b"PUT"), (b":scheme", b"https"))
XFF = b"x-forwarded-for"


def arrived(*fields: tuple[bytes, bytes], edge: bool = True, end: bool = False, facts: bool = False) -> Arrived:
    told = {"source.address": "198.51.100.7:5000", "request.protocol": "HTTP/2"}
    return read_request(Head(True, (*PSEUDO, *fields), end, told), 1.5, edge=edge, facts=facts)


def test_a_request() -> None:
    found = arrived((b"a", b"1"), (XFF, b"203.0.113.9,198.51.100.7"))
    request, asked = found.request, found.asked
    assert (request.method, request.scheme, request.authority, request.path) == (
        b"PUT",
        b"https",
        b"a.test:8080",
        b"/x?y",
    )
    assert (request.port, request.client, request.facts) == (8080, b"198.51.100.7", None)
    assert request.headers == ((b"a", b"1"), (XFF, b"203.0.113.9,198.51.100.7"))
    assert asked.headers == ((b"a", b"1"), (XFF, b"203.0.113.9"))
    assert (found.client, found.upgrade, found.streamed) == ("198.51.100.7:5000", False, True)


def test_a_sidecar_appends_nothing() -> None:
    found = arrived((XFF, b"203.0.113.9"), edge=False)
    assert found.asked is found.request
    assert found.request.client == b"198.51.100.7"


@pytest.mark.parametrize(
    ("fields", "end", "streamed"),
    [((), True, False), ((), False, True), (((b"content-length", b"5"),), False, False)],
)
def test_which_bodies_are_chunked(fields: Any, end: bool, streamed: bool) -> None:
    assert arrived(*fields, end=end).streamed is streamed


def test_facts() -> None:
    facts = arrived(facts=True).request.facts
    assert facts is not None
    assert (facts.peer, facts.protocol, facts.start) == (("198.51.100.7", 5000), "HTTP/2", 1.5)


@pytest.mark.parametrize(
    ("before", "after", "hop"),
    [
        ((), (), b""),
        (((XFF, b"1"),), (), b"1"),
        (((b"a", b""), (XFF, b"1, 2,3"), (b"b", b"")), ((b"a", b""), (XFF, b"1, 2"), (b"b", b"")), b"3"),
    ],
)
def test_hops(before: Any, after: Any, hop: bytes) -> None:
    assert without_hop(before) == (after, hop)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:81", ("::1", 81)),
        ("", ("", 0)),
        ("/run/x", ("", 0)),
        ("a:b", ("", 0)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


def test_a_response_is_without_what_envoy_added() -> None:
    fields = ((b":status", b"204"), (b"a", b"1"), (b"x-envoy-upstream-service-time", b"12"))
    assert read_response(Head(False, fields, True)) == (204, ((b"a", b"1"),))
    assert service_time(Head(False, fields, True)) == 12.0


@pytest.mark.parametrize("status", [b"", b"2", b"abc", b"2000"])
def test_a_status_that_is_none(status: bytes) -> None:
    head = Head(False, ((b":status", status), (b"x-envoy-upstream-service-time", b"x")), True)
    assert read_response(head)[0] is None
    assert service_time(head) is None
