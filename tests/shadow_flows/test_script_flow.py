from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow_flows.script_flow import left_out
from mirror_addon.shadow_flows.script_flow import script_flow
from mirror_addon.shadow_flows.script_flow import shadow_of

TARGET = Target("b/v2", "127.0.0.1", 9002, False, "b", None)
FIELDS = ((b"A", b"1"), (b"x-forwarded-for", b"10.0.0.1,10.0.0.1"), (b"Content-Length", b"4"))
SHADOW = ShadowRequest(TARGET, b"POST", b"b.test-shadow", b"/x?y", FIELDS, 30.0)


def edited(
    change: Callable[[http.HTTPFlow], None], body: bytes | None = b"body", shadow: ShadowRequest = SHADOW
) -> tuple[ShadowRequest, bytes]:
    flow = script_flow(shadow, tflow.tflow(), body, "default/b http[0]")
    change(flow)
    assert not left_out(flow)
    return shadow_of(flow, shadow, body)


def test_a_script_sees_the_shadow_as_it_will_be_sent() -> None:
    primary = tflow.tflow()
    flow = script_flow(SHADOW, primary, b"body", "default/b http[0]")
    request = flow.request
    assert (request.method, request.url, request.http_version) == ("POST", "http://127.0.0.1:9002/x?y", "HTTP/1.1")
    assert request.headers.fields == ((b"Host", b"b.test-shadow"), *FIELDS)
    assert request.text == "body"
    assert flow.metadata == {"mirror_of": primary.id, "mirror_target": "b/v2", "mirror_rule": "default/b http[0]"}
    assert flow.id != primary.id
    assert flow.client_conn is not primary.client_conn
    assert flow.client_conn.peername == primary.client_conn.peername


@pytest.mark.parametrize("body", [b"body", b"", None])
def test_what_no_script_changes_stays_as_it_is(body: bytes | None) -> None:
    shadow = replace(SHADOW, headers=(*FIELDS[:2], (b"Content-Length", b"4" if body is None else b"%d" % len(body))))
    assert edited(lambda flow: None, body, shadow) == (shadow, body or b"")


def test_changes_are_for_the_shadow() -> None:
    def change(flow: http.HTTPFlow) -> None:
        flow.request.headers["Authorization"] = "Bearer staging"
        flow.request.headers["Connection"] = "A, close"
        del flow.request.headers["X-Forwarded-For"]
        flow.request.headers["Host"] = "staging.test"
        flow.request.text = "longer body"
        flow.request.method = "PUT"
        flow.request.path = "/é"

    shadow, body = edited(change)
    assert body == b"longer body"
    assert (shadow.method, shadow.authority, shadow.path) == (b"PUT", b"staging.test", b"/%C3%A9")
    assert shadow.headers == ((b"Content-Length", b"11"), (b"Authorization", b"Bearer staging"))
    assert (shadow.target, shadow.timeout, shadow.adaptions) == (TARGET, 30.0, ("target_bytes",))


def test_another_destination() -> None:
    def change(flow: http.HTTPFlow) -> None:
        flow.request.host, flow.request.port = "staging.test", 80

    shadow, _ = edited(change)
    assert shadow.target == TARGET._replace(address="staging.test", port=80)
    assert shadow.authority == b"staging.test", "mitmproxy changes Host with the host"


def test_a_deleted_host_is_the_shadows_own() -> None:
    assert edited(lambda flow: flow.request.headers.pop("Host"))[0].authority == b"b.test-shadow"  # type: ignore[arg-type, return-value]


def test_the_body_of_a_chunked_request() -> None:
    chunked = replace(SHADOW, headers=((b"Transfer-Encoding", b"chunked"),))

    def change(flow: http.HTTPFlow) -> None:
        flow.request.text = "x"

    assert edited(change, shadow=chunked) == (chunked, b"x")


def other_scheme(flow: http.HTTPFlow) -> None:
    flow.request.scheme = "https"


def content(flow: http.HTTPFlow) -> None:
    flow.request.content = b"x"


def trailers(flow: http.HTTPFlow) -> None:
    flow.request.trailers = http.Headers(a="b")


@pytest.mark.parametrize(
    ("change", "body", "message"),
    [
        (other_scheme, b"", "scheme"),
        (content, None, "streamed"),
        (trailers, b"", "trailers"),
    ],
)
def test_what_no_shadow_can_have(change: Callable[[http.HTTPFlow], None], body: bytes | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edited(change, body)


def test_a_mirror_with_tls_and_a_killed_shadow() -> None:
    secure = replace(SHADOW, target=TARGET._replace(tls=ClientTLS("", "", "", (), False)))
    flow = script_flow(secure, tflow.tflow(), b"", "")
    assert flow.request.scheme == "https"
    flow.kill()
    assert left_out(flow)
