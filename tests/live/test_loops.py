"""A shadow is not mirrored again, by whatever way it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request


@pytest.mark.parametrize(("suffix", "rounds"), [("-shadow", 1), ("", 2)])
def test_two_addons_in_a_ring(confdir: Path, tmp_path: Path, v1: Recorder, suffix: str, rounds: int) -> None:
    """Each has the other as its mirror, and mirrors everything. Without a suffix it takes two hops to tell a shadow."""
    common = ("--mode", f"reverse:http://{v1}", "--set", f"mirror_host_suffix={suffix}")
    script = str(ROOT / "mirror_addon")
    v1.behave(answer(b"200 OK", b"Connection: close"))  # so that none is open at the end
    with (
        reserved_port() as port,
        Proxy(confdir, *common, "--set", f"mirror_to=http://127.0.0.1:{port}", script=script, cwd=tmp_path) as first,
    ):
        back = f"mirror_to=http://127.0.0.1:{first.address[1]}"
        with Proxy(confdir, *common, "--set", back, script=script, cwd=tmp_path, port=port) as second:
            for number in range(3):
                assert exchange(first.address, lines(b"GET /%d HTTP/1.1" % number, b"Host: a")).status == 200
            received = [received.target for received in v1.take(3 + 3 * rounds)]
            assert sorted(received) == sorted((1 + rounds) * [b"/0", b"/1", b"/2"])
            assert first.interrupt() == 0
            assert second.interrupt() == 0
    assert v1.received == []
    ended = first if rounds == 2 else second
    assert ended.totals["skipped.loop"] == 3
    assert first.totals["sent"] + second.totals["sent"] == 3 * rounds


def test_environment_proxies_are_not_for_shadows(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    """As in a shell that sends its traffic through this very proxy."""
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    with reserved_port() as port:
        env = dict.fromkeys(names, f"http://127.0.0.1:{port}") | {"NO_PROXY": "", "no_proxy": ""}
        proxy = Proxy(confdir, *endpoints(v1, v2), env=env, port=port)
    with proxy:
        for number in range(3):
            assert exchange(proxy.address, request(b"GET http://%b/serviceB/%d" % (HOST, number))).status == 200
        assert [shadow.target for shadow in sorted(v2.take(3), key=lambda shadow: shadow.target)] == [
            b"//0",
            b"//1",
            b"//2",
        ]
        assert proxy.interrupt() == 0
    assert (proxy.totals["requests"], proxy.totals["sent"]) == (3, 3)
