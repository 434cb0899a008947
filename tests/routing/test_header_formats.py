from __future__ import annotations

from dataclasses import replace

import pytest

from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Request
from mirror_addon.routing.header_formats import Moment
from mirror_addon.routing.header_formats import template

FACTS = Facts(("::1", 5000), ("127.0.0.1", 8080), "HTTP/2", 1700000000.0425, "laptop")
REQUEST = Request(
    b"GET", b"http", b"a.test:81", b"/p?y=%41",
    ((b"X", b"one"), (b"x", b"two"), (b"x-forwarded-for", b"1.1.1.1, 2.2.2.2")), 81, facts=FACTS,
)  # fmt: skip
MOMENT = Moment(REQUEST, "route", True)
CLUSTER = Cluster("svc.test", "v1", 80, ())
ANSWERED = replace(
    MOMENT, cluster=CLUSTER, endpoint=Endpoint("10.0.0.1", 9), fields=((b"X-Up", b"1"), (b"x-up", b"2")), status=203
)


def made(value: str, moment: Moment = MOMENT) -> str:
    found = template(value)
    assert found is not None
    return found.render(moment).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("%REQ(x)%", "one"),
        ("<%REQ(missing)%>", "<>"),
        ("%REQ(missing?X)%", "one"),
        ("%REQ(x):2%", "on"),
        ("%REQ(:path)% %REQ(:authority)% %REQ(host)% %REQ(:method)%", "/p?y=%41 a.test:81 a.test:81 GET"),
        ("%QUERY_PARAM(y)%%QUERY_PARAM(z)%", "A"),
        ("%PROTOCOL%", "HTTP/2"),
        ("%HOSTNAME%", "laptop"),
        ("%ROUTE_NAME%", "route"),
        ("%RESPONSE_CODE%%RESP(x-up)%%UPSTREAM_HOST%%UPSTREAM_CLUSTER%", "0"),
        ("%STREAM_ID%%DYNAMIC_METADATA(a)%", ""),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "[::1]:5000"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "::1"),
        ("%DOWNSTREAM_REMOTE_PORT%", "5000"),
        ("%DOWNSTREAM_LOCAL_ADDRESS%", "127.0.0.1:8080"),
        ("%DOWNSTREAM_LOCAL_PORT%", "8080"),
        ("%START_TIME%", "2023-11-14T22:13:20.042Z"),
        ("%START_TIME(%s.%3f %f %6f %d/%b/%y %E %%)%", "1700000000.042 042500000 042500 14/Nov/23 %E %"),
    ],
)
def test_values(value: str, expected: str) -> None:
    assert made(value) == expected


def test_of_a_response() -> None:
    value = "%RESP(x-up)% %RESPONSE_CODE% %UPSTREAM_HOST% %UPSTREAM_CLUSTER%"
    assert made(value, ANSWERED) == "1 203 10.0.0.1:9 outbound|80|v1|svc.test"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [(b"1.1.1.1, 2.2.2.2", "2.2.2.2:0"), (b"1.1.1.1,", "[::1]:5000"), (b"no", "[::1]:5000"), (None, "[::1]:5000")],
)
def test_the_client_of_a_proxy_that_is_no_edge(forwarded: bytes | None, expected: str) -> None:
    fields = ((b"x-forwarded-for", forwarded),) if forwarded is not None else ()
    moment = replace(MOMENT, edge=False, request=replace(REQUEST, headers=fields))
    assert made("%DOWNSTREAM_REMOTE_ADDRESS%", moment) == expected
    assert made("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", moment) == "[::1]:5000"


def test_without_facts() -> None:
    moment = replace(MOMENT, request=replace(REQUEST, facts=None))
    assert made("%START_TIME%%PROTOCOL%%HOSTNAME%%DOWNSTREAM_REMOTE_ADDRESS%", moment) == ""


@pytest.mark.parametrize("value", ["text", "100%%", "50% off", "%NOSUCH%"])
def test_values_that_are_no_templates(value: str) -> None:
    assert template(value) is None
