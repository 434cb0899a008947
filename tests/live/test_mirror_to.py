"""The mirror without YAML: `mirror_to`, from a folder without rules."""

from __future__ import annotations

from pathlib import Path

from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.wire import lines


def test_everything_passes_and_is_mirrored(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    arguments = ("--mode", f"reverse:http://{v1}", "--set", f"mirror_to=http://{v2}")
    with Proxy(confdir, *arguments, script=str(ROOT / "mirror_addon"), cwd=tmp_path) as proxy:
        fields = (b"Host: shop.test:8080", b"X-A: 1", b"Content-Length: 2")
        reply = exchange(proxy.address, lines(b"POST /a/../b//c?x=[1] HTTP/1.1", *fields) + b"hi")
        assert reply.wire == lines(b"HTTP/1.1 200 OK", b"Content-Length: 2") + b"ok"
        primary, shadow = v1.one(), v2.one()
        assert primary.target == b"/a/../b//c?x=[1]"
        assert shadow.value(b"host") == b"shop.test-shadow:8080"
        assert primary.head.startswith(lines(b"POST /a/../b//c?x=[1] HTTP/1.1", *fields)[:-2])
        assert (shadow.target, shadow.body) == (primary.target, primary.body)
        assert str(v2) in proxy.output


def test_the_path_of_the_url_is_prepended(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    arguments = ("--set", f"mirror_to=http://{v2}/base/")
    with Proxy(confdir, *arguments, script=str(ROOT / "mirror_addon"), cwd=tmp_path) as proxy:
        address = str(v1).encode()
        exchange(proxy.address, lines(b"GET http://%b/x?y=1 HTTP/1.1" % address, b"Host: " + address))
        primary, shadow = v1.one(), v2.one()
        assert primary.target == b"/x?y=1"
        assert shadow.target == b"/base/x?y=1"
        v1.restore()
        exchange(proxy.address, lines(b"GET http://%b/plain HTTP/1.1" % address, b"Host: " + address))
        assert v2.one().body == v1.one().body == b""


def test_rules_come_first_where_there_are_some(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with Recorder() as other:
        arguments = ("--mode", f"reverse:http://{other}", "--set", f"mirror_to=http://{v2}")
        with Proxy(confdir, *arguments, "--set", f"mirror_endpoints=serviceB/v1={v1}") as proxy:
            exchange(proxy.address, lines(b"GET /else HTTP/1.1", b"Host: else.test"))
            assert other.one().target == b"/else"
            assert v2.one().target == b"/else"
            exchange(proxy.address, lines(b"GET /serviceB HTTP/1.1", b"Host: istio.gateway.xxxx.tech"))
            primary = v1.one()
            assert primary.target == b"/"
    assert other.received == []


def test_a_filter_narrows_it(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    """Two origins behind a regular proxy: only one is copied, and the start says nothing of all hosts."""
    with Recorder() as other:
        arguments = ("--set", f"mirror_to=|~d 127.0.0.1 & ~u {v1}/v1|http://{v2}")
        with Proxy(confdir, *arguments, script=str(ROOT / "mirror_addon"), cwd=tmp_path) as proxy:

            def send(to: Recorder, path: bytes) -> None:
                address = str(to).encode()
                fields = (b"Host: " + address, b"Authorization: Bearer secret")
                exchange(proxy.address, lines(b"GET http://%b%b HTTP/1.1" % (address, path), *fields))

            send(other, b"/v1/secret")
            send(v1, b"/v2")
            send(v1, b"/v1/a")
            assert v2.one().target == b"/v1/a"
            assert [each.target for each in v1.received] == [b"/v2", b"/v1/a"]
            assert "with their credentials" not in proxy.output
        assert (proxy.totals["requests"], proxy.totals["unmatched"], proxy.totals["offered"]) == (3, 2, 1)
        assert v2.received == []


def test_without_a_filter_the_start_says_what_is_copied(confdir: Path, tmp_path: Path, v2: Recorder) -> None:
    with Proxy(confdir, "--set", f"mirror_to=http://{v2}", script=str(ROOT / "mirror_addon"), cwd=tmp_path) as proxy:
        proxy.wait_for(rf"requests to all hosts are copied to http://{v2}, with their credentials \(Authorization, ")
