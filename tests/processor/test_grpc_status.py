from __future__ import annotations

import pytest
from hpack import Decoder

from mirror_addon.processor import grpc_status
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.grpc_status import trailers


def fields(block: bytes) -> list[tuple[bytes, bytes]]:
    decoder = Decoder()
    found = decoder.decode(block, raw=True)
    assert not decoder.header_table.dynamic_entries
    return [(bytes(name), bytes(value)) for name, value in found]


def test_trailers_only() -> None:
    assert fields(grpc_status.TRAILERS_ONLY) == [
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"0"),
    ]


@pytest.mark.parametrize("status", list(Status))
def test_trailers(status: Status) -> None:
    assert fields(trailers(status)) == [(b"grpc-status", b"%d" % status)]
    assert fields(trailers(status, "a text")) == [(b"grpc-status", b"%d" % status), (b"grpc-message", b"a text")]


def test_what_is_no_grpc() -> None:
    assert fields(grpc_status.UNSUPPORTED_MEDIA_TYPE) == [(b":status", b"415")]
    assert fields(grpc_status.METHOD_NOT_ALLOWED) == [(b":status", b"405")]
