from __future__ import annotations

import gzip
import random

import pytest
from capturetools import OWN
from capturetools import Folder
from capturetools import dump
from capturetools import exchange
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mitmproxy.io import tnetstring

from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.captures.stream import CaptureError


def test_a_dump(folder: Folder) -> None:
    flow = exchange(b"POST", body=b"\x00\xff", fields=[(b"Content-Length", b"2")])
    found = folder.one(dump(flow))
    assert (found.id, found.body, found.draw, found.client) == (flow.id, b"\x00\xff", None, "198.51.100.7:4321")
    request = found.request
    assert (request.method, request.scheme, request.authority, request.path, request.port) == (
        b"POST", b"http", b"shop.example", b"/orders/17?x=1", 80,
    )  # fmt: skip
    assert request.headers == ((b"Content-Length", b"2"),)
    assert request.client == b"198.51.100.7"
    assert (found.started, found.ended) == (1000.0, 1000.0), "HTTP/1: what comes next on the connection waits"
    assert found.connection == flow.client_conn.id
    assert found.position == folder.path.stat().st_size


def test_of_http2_requests_may_overlap(folder: Folder) -> None:
    flow = exchange()
    flow.request.data.http_version = b"HTTP/2.0"
    found = folder.one(dump(flow))
    assert found.started < found.ended < 1000.5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_dump_that_is_torn_anywhere_gives_what_is_whole(folder: Folder, data: st.DataObject) -> None:
    parts = [dump(exchange(path=b"/%d" % number, body=b"x" * 30)) for number in range(3)]
    whole = b"".join(parts)
    cut = data.draw(st.integers(1, len(whole) - 1))
    ends = [sum(map(len, parts[: count + 1])) for count in range(3)]
    complete = sum(end <= cut for end in ends)
    if not complete:
        with pytest.raises(CaptureError, match=r"at byte 0|neither"):
            folder.entries(whole[:cut])
        return
    found = folder.recorded(whole[:cut])
    assert [each.request.path for each in found if isinstance(each, Recorded)] == [
        b"/%d" % number for number in range(complete)
    ]
    start = ends[complete - 1]
    assert [f"from byte {start} on, is incomplete" in each for each in folder.warnings] == (
        [] if cut in ends else [True]
    )


@pytest.mark.parametrize(
    "garbage", [b"no flow\nat all\n", b"999999999999:xx, and more", b"3:abc,6:foobar;", b"5:1:a,]}\n"]
)
def test_a_dump_that_is_broken_says_where(folder: Folder, garbage: bytes) -> None:
    whole = dump(exchange())
    folder.path.write_bytes(whole + garbage)
    entries = read_capture(folder.path, folder.warnings.append)
    assert isinstance(recorded(next(entries), OWN), Recorded)
    with pytest.raises(CaptureError, match=f"capture: no mitmproxy flow at byte {len(whole)}"):
        list(entries)


@pytest.mark.parametrize("lacks", ["request", "client_conn", "id"])
def test_a_flow_that_lacks_a_part_is_broken(folder: Folder, lacks: str) -> None:
    state = exchange().get_state()
    del state[lacks]
    with pytest.raises(CaptureError, match="no mitmproxy flow at byte 0"):
        folder.entries(tnetstring.dumps(state))


def test_an_error_of_the_compression_is_reported_as_such(folder: Folder) -> None:
    squeezed = gzip.compress(dump(exchange(body=random.Random(1).randbytes(600_000))))
    with pytest.raises(CaptureError, match="cannot be decompressed before byte"):
        folder.entries(squeezed[:300_000] + b"\xff" * 1000 + squeezed[301_000:])
