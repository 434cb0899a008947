from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.routing.decision import Request
from mirror_addon.routing.local_replies import is_grpc
from mirror_addon.routing.local_replies import local_reply

Ask = Callable[..., Request]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc-web", False),
        ("application/grpc;x", False),
        ("application/grpcx", False),
        ("text/plain", False),
    ],
)
def test_grpc_by_content_type(content_type: str, expected: bool, ask: Ask) -> None:
    assert is_grpc(ask("/", "a.com", ("Content-Type", content_type))) is expected


@pytest.mark.parametrize(("status", "code"), [(404, b"12"), (503, b"14"), (500, b"2"), (401, b"16"), (204, b"2")])
def test_grpc_status_of_an_http_status(status: int, code: bytes, ask: Ask) -> None:
    reply = local_reply(ask("/", "a.com", ("content-type", "application/grpc")), status)
    assert reply.status == 200
    assert reply.headers == ((b"content-type", b"application/grpc"), (b"grpc-status", code))


def test_grpc_message_is_percent_encoded(ask: Ask) -> None:
    reply = local_reply(ask("/", "a.com", ("content-type", "application/grpc")), 500, "a b%é".encode())
    assert dict(reply.headers)[b"grpc-message"] == b"a b%25%C3%A9"


def test_head_gets_no_grpc_message(ask: Ask) -> None:
    reply = local_reply(ask("/", "a.com", ("content-type", "application/grpc"), method="HEAD"), 500, b"a")
    assert b"grpc-message" not in dict(reply.headers)


def test_two_content_types_are_not_grpc(ask: Ask) -> None:
    assert not is_grpc(ask("/", "a.com", *[("content-type", "application/grpc")] * 2))
