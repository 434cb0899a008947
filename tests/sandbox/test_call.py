from __future__ import annotations

from mirror_addon.sandbox.call import OVERHEAD_BYTES
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import KeptResponse
from mirror_addon.sandbox.call import PrimaryCall


def test_a_request_by_its_parts() -> None:
    call = CallRequest.make(b"GET", b"http", b"Pay.Test:80", b"/a?b=c?d")
    assert call.kind == (b"GET", b"pay.test", b"/a")
    assert (call.query, call.url, call.verb) == (b"b=c?d", "http://pay.test/a?b=c?d", "GET")
    assert CallRequest.make(b"GET", b"https", b"pay.test:443", b"/").authority == b"pay.test"
    assert CallRequest.make(b"GET", b"https", b"pay.test:80", b"/\xff").url == "https://pay.test:80/%FF"


def test_the_life_of_a_primarys_call() -> None:
    request = CallRequest.make(b"POST", b"http", b"a", b"/x")
    call = PrimaryCall(request, 7.0)
    assert call.pending and call.size == OVERHEAD_BYTES
    whole = request._replace(body=b'{"b": 1, "a": 2}', content_type=b"application/json")
    call.end(whole, KeptResponse(200, b"OK", ((b"a", b"bc"),), b"body"))
    assert not call.pending and call.size == OVERHEAD_BYTES + 16 + 2 + 4 + 3
    assert call.canonical == b'{"a":2,"b":1}'
    assert call.shape == call.shape
    lost = PrimaryCall(request, 7.0)
    lost.end(request._replace(body=None), None, "streamed")
    assert not lost.pending and lost.canonical is None and lost.response is None
