from __future__ import annotations

import pytest
from capturetools import Folder
from capturetools import dump
from capturetools import exchange
from capturetools import reasons
from mitmproxy import flow as mitm_flow
from mitmproxy.test import tflow

from mirror_addon.captures.stream import CaptureError
from mirror_addon.shadow_flows import metadata as meta


def test_what_this_addons_proxy_rewrote_is_undone(folder: Folder) -> None:
    flow = exchange(path=b"//rewritten", fields=[(b"x-forwarded-for", b"203.0.113.1,198.51.100.7"), (b"X-A", b"1")])
    flow.metadata[meta.ASKED_KEY] = ["GET", "http", "public.example:8080", "/serviceB/rewritten"]
    request = folder.one(dump(flow)).request
    assert (request.authority, request.path, request.port) == (b"public.example:8080", b"/serviceB/rewritten", 8080)
    assert request.headers == ((b"x-forwarded-for", b"203.0.113.1"), (b"X-A", b"1"))


def test_a_hop_that_was_the_proxys_alone_goes_with_its_field(folder: Folder) -> None:
    flow = exchange(fields=[(b"x-forwarded-for", b"198.51.100.7")])
    flow.metadata[meta.ASKED_KEY] = ["GET", "http", "shop.example", "/"]
    assert folder.one(dump(flow)).request.headers == ()


def test_what_cannot_be_sent_again_says_why(folder: Folder) -> None:
    shadow, ghost, upgrade, unfinished = exchange(), exchange(), exchange(), exchange()
    shadow.metadata[meta.PRIMARY_KEY] = "x"
    ghost.marked = ":ghost:"
    upgrade.request.headers.fields += ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    unfinished.request.timestamp_end = None
    flows = [
        tflow.ttcpflow(), shadow, ghost, tflow.twebsocketflow(), exchange(b"CONNECT"), upgrade,
        exchange(body=None), unfinished, exchange(),
    ]  # fmt: skip
    assert reasons(folder.recorded(dump(*flows))) == [
        "not_http", "shadow", "shadow", "websocket", "connect", "upgrade", "body_not_kept", "incomplete", "",
    ]  # fmt: skip


def test_a_request_whose_primary_failed_is_sent_again(folder: Folder) -> None:
    flow = exchange()
    flow.response = None
    flow.error = mitm_flow.Error("connection refused")
    assert folder.one(dump(flow)).flow.error is not None


@pytest.mark.parametrize("content", [b"", b"\n \n", b"hello\n", b"[1]", b"\x00\x01", b"<har/>"])
def test_what_is_no_capture(folder: Folder, content: bytes) -> None:
    with pytest.raises(CaptureError, match=r"capture is (neither a mitmproxy dump|empty)"):
        folder.entries(content)


@pytest.mark.parametrize(
    ("peer", "text"),
    [(("::1", 5, 0, 0), "[::1]:5"), (("10.0.0.1", 5), "10.0.0.1:5"), (("", 0), "")],
)
def test_the_clients_address(folder: Folder, peer: tuple[str, int] | tuple[str, int, int, int], text: str) -> None:
    flow = exchange()
    flow.client_conn.peername = peer
    assert folder.one(dump(flow)).client == text
