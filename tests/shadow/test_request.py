from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.mirrors import shadow_edit
from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import has_suffix
from mirror_addon.shadow.request import shadow_authority
from mirror_addon.shadow.request import shadow_request


def mirror(protocol: str = "http", tls: TLS | None = None, timeout: float | None = None, prefix: bytes = b"") -> Mirror:
    endpoint = Endpoint("127.0.0.1", 9002)
    return Mirror(
        Cluster("b.default.svc.cluster.local", "v2", 80, (endpoint,), protocol, tls, "serviceB/v2"),
        endpoint,
        100,
        True,
        None,
        timeout,
        prefix,
    )


def shadow(
    headers: Fields = (),
    *,
    authority: bytes = b"svc",
    path: bytes = b"/",
    method: bytes = b"GET",
    to: Mirror | None = None,
    body: int | None = 0,
    suffix: bytes = b"-shadow",
) -> ShadowRequest:
    request = Request(method, b"http", authority, path, headers, 80)
    return shadow_request(request, to or mirror(), body=body, own_address=b"10.10.2.121", suffix=suffix)


def fields(headers: Fields, **how: object) -> Fields:
    """The shadow's fields without X-Forwarded-For, which is always present."""
    made = shadow(headers, **how)  # type: ignore[arg-type]
    return tuple(field for field in made.headers if field[0].lower() != b"x-forwarded-for")


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"svc", b"svc-shadow"),
        (b"svc.example.com:8080", b"svc.example.com-shadow:8080"),
        (b"127.0.0.1:9", b"127.0.0.1-shadow:9"),
        (b"[::1]:8080", b"[::1]-shadow:8080"),
        (b"[::1]", b"[::1]-shadow"),
        (b"SVC.Example.COM", b"SVC.Example.COM-shadow"),
        (b"a:b", b"a-shadow:b"),
        (b"x:", b"x-shadow:"),
        (b"h-shadow", b"h-shadow-shadow"),
    ],
)
def test_the_suffix_stands_before_the_port(authority: bytes, expected: bytes) -> None:
    assert shadow_authority(authority, b"-shadow") == expected
    assert shadow(authority=authority).authority == expected


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"svc-shadow", True),
        (b"svc-shadow:8080", True),
        (b"svc-shadow:", True),
        (b"svc-SHADOW", True),
        (b"[::1]-shadow", True),
        (b"[::1]-shadow:8080", True),
        (b"h-shadow-shadow", True),
        (b"a-shadow.b-shadow", True),
        (b"my-shadow-service-shadow:80", True),
        (b"-shadow", True),
        (b"a-shadow.b", False),
        (b"my-shadow-service", False),
        (b"svc:-shadow", False),
        (b"svc-shadow.", False),
        (b"[::1-shadow]", False),
        (b"shadow", False),
        (b"", False),
    ],
)
def test_hosts_of_shadows(authority: bytes, expected: bool) -> None:
    assert has_suffix(authority, b"-shadow") is expected


@given(st.binary(max_size=20), st.booleans())
def test_every_shadow_has_the_suffix(authority: bytes, again: bool) -> None:
    once = shadow_authority(authority, b"-shadow")
    assert has_suffix(shadow_authority(once, b"-shadow") if again else once, b"-shadow")


def test_an_empty_suffix_leaves_the_host() -> None:
    assert shadow(authority=b"svc:8080", suffix=b"").authority == b"svc:8080"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((), (b"x-forwarded-for", b"10.10.2.121")),
        (((b"X-Forwarded-For", b"10.10.2.151"),), (b"X-Forwarded-For", b"10.10.2.151,10.10.2.121")),
        (((b"x-forwarded-for", b"x, y,A"),), (b"x-forwarded-for", b"x, y,A,10.10.2.121")),
        (((b"X-Forwarded-For", b"x"), (b"x-forwarded-for", b"y")), (b"X-Forwarded-For", b"x,y,10.10.2.121")),
        (((b"X-Forwarded-For", b""),), (b"X-Forwarded-For", b"10.10.2.121")),
        (((b"X-Forwarded-For", b" "), (b"X-Forwarded-For", b" x ")), (b"X-Forwarded-For", b"x,10.10.2.121")),
    ],
)
def test_one_more_hop(sent: Fields, expected: tuple[bytes, bytes]) -> None:
    assert [field for field in shadow(sent).headers if field[0].lower() == b"x-forwarded-for"] == [expected]


def test_the_hops_stay_where_they_stood() -> None:
    made = shadow(((b"A", b"1"), (b"X-Forwarded-For", b"x"), (b"B", b"2"), (b"X-Forwarded-For", b"y"), (b"C", b"3")))
    assert [name for name, _ in made.headers] == [b"A", b"X-Forwarded-For", b"B", b"C"]


def test_order_case_duplicates_and_bytes_are_kept() -> None:
    sent = ((b"b", b"\x01\x80\xff"), (b"A", b""), (b"a", b"1"), (b"Cookie", b"x"), (b"cookie", b"a\tb"))
    assert fields(sent) == sent


@pytest.mark.parametrize(
    "field",
    [
        (b"Connection", b"close"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Proxy-Connection", b"keep-alive"),
        (b"TE", b"gzip"),
        (b"Trailer", b"X"),
        (b"Upgrade", b"h2c"),
        (b"eXPECT", b"100-continue"),
    ],
)
def test_hop_by_hop_fields_do_not_travel(field: tuple[bytes, bytes]) -> None:
    assert fields(((b"A", b"1"), field)) == ((b"A", b"1"),)


def test_the_fields_that_connection_names_do_not_travel() -> None:
    sent = ((b"X-Hop", b"1"), (b"Connection", b"close, x-hop ,Content-Length"), (b"Content-Length", b"3"))
    assert fields(sent, body=3) == ((b"Content-Length", b"3"),)


def test_a_connection_field_cannot_take_the_hops_away() -> None:
    made = shadow(((b"Connection", b"x-forwarded-for"), (b"X-Forwarded-For", b"x")))
    assert made.headers == ((b"X-Forwarded-For", b"x,10.10.2.121"),)


def test_te_trailers_travels() -> None:
    assert fields(((b"te", b"gzip, Trailers"), (b"Connection", b"te"))) == ((b"te", b"trailers"),)


@pytest.mark.parametrize(
    ("sent", "body", "expected", "adaptions"),
    [
        ((), 0, (), ()),
        (((b"Content-Length", b"0"),), 0, ((b"Content-Length", b"0"),), ()),
        (((b"Content-Length", b"5"),), 5, ((b"Content-Length", b"5"),), ()),
        (((b"Content-Length", b"9"),), 5, ((b"Content-Length", b"5"),), ("content_length",)),
        (((b"Content-Length", b"5"), (b"content-length", b"5")), 5, ((b"Content-Length", b"5"),), ("content_length",)),
        (((b"Transfer-Encoding", b"Chunked"),), 0, ((b"Transfer-Encoding", b"chunked"),), ()),
        (((b"Transfer-Encoding", b"gzip, chunked"),), 5, ((b"Transfer-Encoding", b"chunked"),), ("transfer_encoding",)),
        (
            ((b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")),
            5,
            ((b"Transfer-Encoding", b"chunked"),),
            ("content_length",),
        ),
        ((), 5, ((b"content-length", b"5"),), ()),
        ((), None, ((b"transfer-encoding", b"chunked"),), ()),
        (((b"Content-Length", b"5"),), None, ((b"Content-Length", b"5"),), ()),
        (((b"Content-Length", b"x"),), None, ((b"transfer-encoding", b"chunked"),), ()),
    ],
)
def test_framing(sent: Fields, body: int | None, expected: Fields, adaptions: tuple[str, ...]) -> None:
    assert fields(sent, body=body) == expected
    assert shadow(sent, body=body).adaptions == adaptions


def test_a_body_without_framing_needs_none_over_http2() -> None:
    assert fields((), body=5, to=mirror("grpc")) == ((b"transfer-encoding", b"chunked"),)


def test_framing_keeps_its_place() -> None:
    sent = ((b"A", b"1"), (b"Content-Length", b"2"), (b"B", b"2"))
    assert fields(sent, body=2) == sent


@pytest.mark.parametrize(
    ("field", "expected", "adaption"),
    [
        ((b"A", b"a\r\n  b"), (b"A", b"a b"), "obs_fold"),
        ((b"A", b"a\n\tb"), (b"A", b"a b"), "obs_fold"),
        ((b"A", b"a\x00b"), (b"A", b"a b"), "illegal_value"),
        ((b"A", b"a\r\nInjected: 1"), (b"A", b"a  Injected: 1"), "illegal_value"),
        ((b"A", b" a "), (b"A", b"a"), "illegal_value"),
        ((b"X@Y", b"1"), None, "illegal_name"),
        ((b"", b"1"), None, "illegal_name"),
        ((b"Host", b"other"), None, "second_host"),
    ],
)
def test_what_cannot_be_written_is_adapted_and_named(
    field: tuple[bytes, bytes], expected: tuple[bytes, bytes] | None, adaption: str
) -> None:
    sent = ((b"B", b"1"), field)
    assert fields(sent) == ((b"B", b"1"), *(() if expected is None else (expected,)))
    assert shadow(sent).adaptions == (adaption,)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/a/../b//c?x=[1]{2}|%2F%2f&y=%zz", b"/a/../b//c?x=[1]{2}|%2F%2f&y=%zz"),
        (b"*", b"*"),
        (b"/\xff\xc3\xa9?\x80 #x", b"/%FF%C3%A9?%80%20#x"),
    ],
)
def test_the_target_is_literal(path: bytes, expected: bytes) -> None:
    made = shadow(path=path)
    assert made.path == expected
    assert made.adaptions == (() if path == expected else ("target_bytes",))


def test_http2_carries_any_target() -> None:
    assert shadow(path=b"/\xff", to=mirror("http2")).path == b"/\xff"
    assert shadow(path=b"/\xff", to=mirror("http2", TLS())).path == b"/%FF"  # ALPN may choose HTTP/1.1


def test_the_path_of_a_mirror_to_url_comes_first() -> None:
    assert shadow(path=b"/x?y", to=mirror(prefix=b"/base")).path == b"/base/x?y"
    assert shadow(path=b"/x?y", to=mirror(prefix=b"/")).path == b"/x?y"
    assert shadow(path=b"*", to=mirror(prefix=b"/base")).path == b"*"


def test_without_a_host_the_endpoint_is_one() -> None:
    made = shadow(authority=b"")
    assert (made.authority, made.adaptions) == (b"127.0.0.1-shadow:9002", ("missing_host",))


def test_a_host_with_bytes_that_cannot_be_written() -> None:
    made = shadow(authority=b"a\x00b ")
    assert (made.authority, made.adaptions) == (b"a b-shadow", ("illegal_value",))


def test_the_method_is_kept() -> None:
    made = shadow(method=b"pRoPfInD")
    assert made.method == b"pRoPfInD"


def test_the_routes_timeout_holds() -> None:
    assert shadow().timeout == 30.0
    assert shadow(to=mirror(timeout=2.5)).timeout == 2.5


@pytest.mark.parametrize(
    ("protocol", "http2"), [("http", False), ("https", False), ("http2", True), ("grpc", True), ("grpc-web", True)]
)
def test_the_ports_protocol_decides(protocol: str, http2: bool) -> None:
    assert shadow(to=mirror(protocol)).target.http2 is http2


def test_the_server_name_is_the_clusters() -> None:
    assert shadow(to=mirror(tls=TLS())).target.server_name == "b.default.svc.cluster.local"
    made = shadow(to=mirror(tls=TLS(sni="sni.example", ca_certificates="ca", subject_alt_names=("a", "b"))))
    assert made.target.server_name == "sni.example"
    assert made.target.tls == ClientTLS("ca", "", "", ("a", "b"), False)


def test_equal_settings_make_equal_targets() -> None:
    assert shadow(to=mirror(tls=TLS(sni="x"))).target == shadow(to=mirror(tls=TLS(sni="x"))).target


anything = st.binary(max_size=12)
some_names = st.sampled_from(
    [b"Host", b"Connection", b"Content-Length", b"Transfer-Encoding", b"TE", b"X-Forwarded-For", b"A", b"Expect"]
)


@given(
    headers=st.lists(st.tuples(anything | some_names, anything | st.sampled_from([b"chunked", b"3"]))).map(tuple),
    authority=anything,
    path=st.binary(min_size=1, max_size=20),
    body=st.binary(max_size=5),
)
def test_h11_can_send_whatever_came(headers: Fields, authority: bytes, path: bytes, body: bytes) -> None:
    made = shadow(headers, authority=authority, path=path, body=len(body))
    connection = h11.Connection(h11.CLIENT)
    sent = connection.send(
        h11.Request(method=made.method, target=made.path, headers=[(b"Host", made.authority), *made.headers])
    )
    assert sent
    if body:
        connection.send(h11.Data(body))
    connection.send(h11.EndOfMessage())


@given(headers=st.lists(st.tuples(st.sampled_from([b"A", b"b", b"Cookie"]), st.binary(max_size=5))).map(tuple))
def test_what_needs_no_adaption_is_not_touched(headers: Fields) -> None:
    made = shadow(headers)
    kept = made.headers[:-1]
    if not made.adaptions:
        assert kept == headers
    else:
        assert len(kept) == len(headers)


def edited(removed: tuple[str, ...] = (), **sets: str) -> Mirror:
    made = mirror()
    annotations = MirrorAnnotations(
        remove_headers=removed, set_headers=tuple((name.replace("_", "-"), value) for name, value in sets.items())
    )
    made.edit = shadow_edit(annotations)
    return made


def test_headers_removed_and_set_by_annotation() -> None:
    to = edited(("Authorization", "COOKIE"), X_Mark="1", X_Kind="new")
    came = ((b"authorization", b"s"), (b"Cookie", b"a"), (b"cookie", b"b"), (b"x-kind", b"old"), (b"Accept", b"*/*"))
    assert fields(came, to=to) == ((b"Accept", b"*/*"), (b"X-Mark", b"1"), (b"X-Kind", b"new"))
    assert fields(came) == came


def test_the_hop_is_appended_to_what_an_annotation_leaves() -> None:
    came = ((b"X-Forwarded-For", b"203.0.113.7"),)
    assert shadow(came, to=edited(("x-forwarded-for",))).headers == ((b"x-forwarded-for", b"10.10.2.121"),)
    assert shadow(came, to=edited(X_Forwarded_For="::")).headers == ((b"X-Forwarded-For", b"::,10.10.2.121"),)


@pytest.mark.parametrize("nominating", [b"x-mark", b"close, X-Mark", b"x-forwarded-for,x-mark"])
def test_a_client_cannot_take_a_marker_off_its_shadow(nominating: bytes) -> None:
    came = ((b"Connection", nominating), (b"X-Mark", b"client's"))
    assert fields(came, to=edited(X_Mark="1")) == ((b"X-Mark", b"1"),)


def test_grpc_goes_over_http2_where_no_port_says_its_protocol() -> None:
    said, unsaid = mirror(), mirror()
    unsaid.cluster.detects_protocol = True
    request = Request(b"POST", b"http", b"a.test", b"/", (), 80)
    for to, grpc, http2 in ((said, True, False), (unsaid, True, True), (unsaid, False, False)):
        made = shadow_request(request, to, body=0, own_address=b"10.0.0.1", grpc=grpc)
        assert made.target.http2 is http2


def test_trailers_need_a_body_that_ends_apart_from_its_head() -> None:
    request = Request(b"POST", b"http", b"a.test", b"/", (), 80)
    made = shadow_request(request, mirror("grpc"), body=0, own_address=b"10.0.0.1", trailers=((b"x-sum", b"1"),))
    assert made.trailers == ((b"x-sum", b"1"),)
    assert (b"transfer-encoding", b"chunked") in made.headers
