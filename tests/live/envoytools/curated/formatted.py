"""Operators in header values."""

from __future__ import annotations

from envoytools.curated.cases import Case
from envoytools.curated.cases import virtual_service
from envoytools.outcome import Sent

REQUESTS = (
    Sent(),
    Sent(
        path="/a/../x?y=1&z=%41",
        host="A.test:8080",
        headers=(("x", "one"), ("X-Two", "a"), ("x-two", "b"), ("gone", "g"), ("accept", "a"), ("Accept", "b")),
    ),
    Sent("POST", headers=(("x-forwarded-for", "1.2.3.4, 9.9.9.9"), ("x", "")), body=b"abc"),
    Sent(headers=(("content-type", "application/grpc"), ("x", "one"))),
)
VALUES = (
    "%REQ(x)%", "%REQ(X-Two)%", "a%REQ(missing)%b", "%REQ(missing?x)%", "%REQ(:path)%", "%REQ(:authority)%",
    "%REQ(host)%", "%REQ(:method)%", "%REQ(:scheme)%", "%REQ(gone)%", "%REQ(h0)%", 
    "%REQ(accept)%", "%REQ(x-forwarded-for)%", "%PROTOCOL%", "%START_TIME(%Y)%", "%START_TIME(%E)%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "%UPSTREAM_HOST%", "%HOSTNAME%",
    "%RESPONSE_CODE%", "%RESP(x-upstream)%", "100%%", "%%REQ(x)%%", "%QUERY_PARAM(y)%", "%QUERY_PARAM(z)%",
    "%REQ(x)%%PROTOCOL%", "%REQUESTED_SERVER_NAME%", "%DYNAMIC_METADATA(a:b)%",
)  # fmt: skip
_SETS = ", ".join(f'h{number}: "{value}"' for number, value in enumerate(VALUES))
_HEADERS = (
    f"{{request: {{set: {{{_SETS}, x: '%REQ(x)%-own', kept: '%REQ(missing)%'}}, add: {{x-two: '%REQ(x)%', accept: "
    f"'%REQ(x)%'}}, remove: [gone]}}, response: {{set: {{{_SETS}}}, add: {{vary: '%REQ(x)%'}}}}}}"
)
_FEW = "{request: {set: {d: '%REQ(h)%', h: 'd-%REQ(x)%'}}, response: {set: {d: '%RESP(h)%', h: 'd-%REQ(x)%'}}}"
_ROUTE = "{request: {set: {r: '%REQ(h)%'}, add: {h: 'r-%REQ(x)%'}}, response: {set: {r: '%RESP(h)%'}}}"

FORMATTED = [
    Case(
        "operators of a route",
        virtual_service(
            f"- route: [{{destination: {{host: v1}}}}]\n  headers: {_HEADERS}\n"
            "  rewrite: {uri: /new, authority: n.test}\n  mirror: {host: m1}"
        ),
        REQUESTS,
    ),
    Case(
        "operators of a destination",
        virtual_service(f"- route: [{{destination: {{host: v1}}, headers: {_FEW}}}]\n  headers: {_ROUTE}"),
        REQUESTS,
    ),
    Case(
        "operators of weighted destinations",
        virtual_service(
            f"- route: [{{destination: {{host: v1}}, weight: 50, headers: {_FEW}}}, {{destination: {{host: v2}}, "
            f"weight: 50}}]\n  headers: {_ROUTE}\n  mirror: {{host: m1}}"
        ),
        REQUESTS,
        draws=(0, 99),
    ),
    *(
        Case(f"operators of a local reply {action}", virtual_service(f"- {action}\n  headers: {_HEADERS}"), requests)
        for action, requests in (
            ("directResponse: {status: 201}", REQUESTS),
            ("redirect: {uri: /new}", REQUESTS),
            # Without gRPC: its message says here which endpoints are missing.
            ("route: [{destination: {host: nowhere}}]\n  rewrite: {uri: /new, authority: n.test}", REQUESTS[:3]),
        )
    ),
    Case(
        "operators of an aborted request",
        virtual_service(
            f"- route: [{{destination: {{host: v1}}}}]\n  headers: {_HEADERS}\n"
            "  fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"
        ),
        REQUESTS,
    ),
]
