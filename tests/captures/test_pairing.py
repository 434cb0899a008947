from __future__ import annotations

from pathlib import Path

from capturetools import dump
from capturetools import exchange
from capturetools import har
from capturetools import line
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.admission.when import When
from mirror_addon.captures.pairing import Pair
from mirror_addon.captures.pairing import Pairing


def pairing(tmp_path: Path, first: bytes, second: bytes, *filters: str, **more: object) -> tuple[Pairing, list[Pair]]:
    for name, content in (("a", first), ("b", second)):
        (tmp_path / name).write_bytes(content)
    found = Pairing(tmp_path / "a", tmp_path / "b", [When(each) for each in filters], **more)  # type: ignore[arg-type]
    return found, list(found)


def bodies(pairs: list[Pair]) -> list[tuple[bytes | None, bytes | None]]:
    return [(pair.first.response.body, pair.second.response.body) for pair in pairs]


def at(host: bytes, flow: http.HTTPFlow) -> http.HTTPFlow:
    flow.request.headers["host"] = host.decode()
    return flow


def test_equal_requests_are_paired_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    first = dump(exchange(answer=b"2", at=2.0), exchange(answer=b"1", at=1.0), exchange(answer=b"3", at=3.0))
    second = har(exchange(answer=b"I", at=11.0), exchange(path=b"/", at=12.0), exchange(answer=b"II", at=13.0))
    found, pairs = pairing(tmp_path, first, second)
    assert bodies(pairs) == [(b"1", b"I"), (b"2", b"II")]
    assert (found.pairs, found.alone, found.entries) == (2, (1, 1), [3, 3])
    assert found.examples(0, 5) == ["GET http://shop.example/orders/17?x=1"]
    assert found.examples(1, 5) == ["GET http://shop.example/"]


def test_methods_and_queries_tell_requests_apart(tmp_path: Path) -> None:
    first = dump(exchange(), exchange(b"POST"), exchange(path=b"/orders/17"))
    second = dump(exchange(path=b"/orders/17?x=2"), exchange(b"POST"), exchange(b"DELETE"))
    found, pairs = pairing(tmp_path, first, second)
    assert [pair.first.method for pair in pairs] == ["POST"]
    assert found.alone == (2, 2)


def test_operations_of_graphql_are_paired_with_their_own_kind(tmp_path: Path) -> None:
    def asks(name: bytes, answer: bytes) -> http.HTTPFlow:
        body = b'{"query": "query %s { a }"}' % name
        return exchange(b"POST", b"/graphql", body, answer)

    first = dump(asks(b"One", b"1"), asks(b"Two", b"2"))
    second = dump(asks(b"Two", b"II"), asks(b"One", b"I"))
    assert bodies(pairing(tmp_path, first, second)[1]) == [(b"2", b"II"), (b"1", b"I")]


def test_other_hosts(tmp_path: Path) -> None:
    first, second = dump(exchange()), dump(at(b"localhost:9002", exchange()))
    assert pairing(tmp_path, first, second)[0].pairs == 0
    assert pairing(tmp_path, first, second, any_origin=True)[0].pairs == 1
    assert pairing(tmp_path, first, dump(exchange(path=b"/orders/17?x=2")), any_origin=True)[0].pairs == 0


def test_records_and_what_is_left_out(tmp_path: Path) -> None:
    shadow = exchange(b"POST", b"/orders?x=1")
    shadow.marked = ":ghost:"
    socket = tflow.twebsocketflow()
    connect = exchange(b"CONNECT", b"")
    second = dump(exchange(b"POST", b"/orders?x=1", answer=b"new"), shadow, socket, connect, tflow.ttcpflow())
    found, pairs = pairing(tmp_path, line(), second)
    assert bodies(pairs) == [(b"done", b"new")]
    assert pairs[0].first.response.ms == 12.5
    assert found.left_out == {"shadow": 1, "websocket": 1, "connect": 1, "not_http": 1}


def test_filters(tmp_path: Path) -> None:
    first = dump(exchange(), exchange(path=b"/health"), tflow.ttcpflow())
    found, pairs = pairing(tmp_path, first, first, "! ~u /health")
    assert (len(pairs), found.filtered, dict(found.left_out)) == (1, 4, {})


def test_memory_is_bounded_by_dropping_the_bodies_that_waited_longest(tmp_path: Path) -> None:
    first = dump(*(exchange(path=b"/%d" % number, answer=b"x" * 1000, at=number) for number in range(10)))
    second = dump(*(exchange(path=b"/%d" % number, answer=b"x" * 1000, at=-number) for number in range(10)))
    found, pairs = pairing(tmp_path, first, second, held_bytes=5000)
    assert len(pairs) == 10
    assert found.emptied == sum(None in each for each in bodies(pairs)) > 0
    assert all(pair.first.response.bytes == 1000 for pair in pairs)


def test_a_primary_without_a_response(tmp_path: Path) -> None:
    flow = exchange()
    flow.response = None
    _, pairs = pairing(tmp_path, dump(flow), dump(exchange()))
    assert pairs[0].first.response.status is None and pairs[0].first.response.error == "unanswered"
    assert pairs[0].first.ended is None


def test_a_url_that_is_none(tmp_path: Path) -> None:
    found, pairs = pairing(tmp_path, dump(at(b"[::1", exchange())), dump(at(b"[::1", exchange())), any_origin=True)
    assert found.pairs == len(pairs) == 1
