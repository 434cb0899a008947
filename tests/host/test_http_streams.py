"""The moments in a real proxy are tested in tests/test_addon.py, with every order of addons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http import ResponseHeaders
from mitmproxy.test import tflow

from mirror_addon.host.http_streams import HttpStreams

NAMES = ("make_server_connection", "state_wait_for_response_headers", "send_response")


@pytest.fixture(autouse=True)
def own_methods() -> Iterator[dict[str, Any]]:
    before = {name: getattr(HttpStream, name) for name in NAMES}
    yield before
    assert {name: getattr(HttpStream, name) for name in NAMES} == before


class Moments(HttpStreams):
    def __init__(self) -> None:
        self.seen: list[object] = []
        super().__init__(self.seen.append, lambda flow: self.seen.append(flow.response), self.seen.append)


class Stream(HttpStream):
    """A stream without a connection: its generators are made and not run."""

    def __init__(self, flow: http.HTTPFlow) -> None:
        self.flow = flow


RESPONSE = http.Response.make()


def pass_through(flow: http.HTTPFlow) -> None:
    stream = Stream(flow)
    assert stream.make_server_connection().__name__ == "make_server_connection"
    stream.state_wait_for_response_headers(ResponseHeaders(1, RESPONSE)).close()
    stream.send_response().close()
    stream.send_response(already_streamed=True).close()


def test_a_moment_is_called_before_mitmproxys_own_method() -> None:
    moments, flow = Moments(), tflow.tflow()
    assert not moments.taken
    moments.take()
    assert moments.taken
    pass_through(flow)
    moments.give_back()
    assert not moments.taken
    assert moments.seen == [flow, RESPONSE, flow, flow]


def test_two_addons_in_one_process() -> None:
    first, second, flow = Moments(), Moments(), tflow.tflow()
    first.take()
    second.take()
    pass_through(flow)
    assert first.seen == second.seen == [flow, RESPONSE, flow, flow]
    second.give_back()
    first.give_back()


def test_what_another_script_replaced_since_stays_and_ours_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moments, flow = Moments(), tflow.tflow()
    moments.take()
    ours = HttpStream.send_response
    with monkeypatch.context() as patched:
        theirs = lambda stream, *arguments, **named: ours(stream, *arguments, **named)  # noqa: E731
        patched.setattr(HttpStream, "send_response", theirs)
        moments.give_back()
        assert HttpStream.send_response is theirs
        pass_through(flow)
    assert moments.seen == []
    HttpStream.send_response = ours.__wrapped__  # type: ignore[method-assign, attr-defined]


@pytest.mark.parametrize(
    ("method", "other"),
    [
        ("send_response", lambda stream, already_streamed=False: ()),
        ("start_request_stream", lambda stream: stream.connect()),
        ("start_request_stream", None),
    ],
)
def test_another_mitmproxy_is_left_alone(
    method: str, other: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moments = Moments()
    with monkeypatch.context() as patched:
        patched.setattr(HttpStream, method, other)
        moments.take()
        assert not moments.taken
        moments.give_back()
    assert "this mitmproxy sends requests in another way" in caplog.text
