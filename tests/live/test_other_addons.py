"""Scripts and mitmproxy's own options beside this addon, in both orders of `-s`: v2 gets what v1 gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import Received
from livetools.worked_example import HOST
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request

SCRIPT = """
import asyncio
from mitmproxy import http

def requestheaders(flow):
    flow.request.headers["X-Head"] = "early"
    if flow.request.path.endswith("/streamed"):
        flow.request.stream = lambda chunk: chunk.replace(b"secret", b"masked")

async def request(flow):
    await asyncio.sleep(0)
    flow.request.headers["Authorization"] = "Bearer test"
    if flow.request.path.endswith("/no"):
        flow.response = http.Response.make(403, b"by the script")
    elif flow.request.path.endswith("/killed"):
        flow.kill()
    elif flow.request.method == "POST" and flow.request.content:
        flow.request.text = flow.request.text.replace("secret", "masked, and longer")
        flow.request.path += "?added=1"

def response(flow):
    flow.response.headers["X-By"] = "script"
    flow.response.status_code = 299
"""
OPTIONS = (
    *("--anticache", "--modify-headers", "/~q/X-Env/dev", "--modify-headers", "/~s/X-Answer/modified"),
    *("--modify-body", "/~q & ~u form/before/after", "--modify-body", "/~s/ok/changed"),
    *("--set", "stickycookie=.*", "--set", "stickyauth=.*"),
)


def shadow_hook() -> str:
    """The example of the documentation."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "reference" / "scripts.md").read_text(), re.DOTALL)
    return str(code)


class Beside:
    """A proxy with the script before or behind this addon."""

    def __init__(self, proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
        self.proxy, self.v1, self.v2 = proxy, v1, v2

    def ask(self, line: bytes, *fields: bytes, body: bytes = b"") -> tuple[Received, Received, bytes]:
        """What v1 and v2 received, and the client's response."""
        if body:
            fields = (*fields, b"Content-Length: %d" % len(body))
        response = exchange(self.proxy.address, request(line, *fields, body=body))
        (primary,), (shadow,) = self.v1.take(1), self.v2.take(1)
        return primary, shadow, response.start_line


@pytest.fixture(scope="module", params=["behind", "before"])
def beside(
    request: pytest.FixtureRequest,
    confdir: Path,
    upstreams: tuple[Recorder, Recorder],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "script.py").write_text(SCRIPT)
    local = folder / "local.txt"
    local.write_text("local")
    scripts = ["-s", "mirror_addon"]
    at = 2 if request.param == "behind" else 0
    scripts[at:at] = ["-s", str(folder / "script.py")]
    record = ("--set", f"mirror_record={folder / 'record.jsonl'}")
    mapped = (
        *("--map-local", f"|/local.txt|{local}"),
        *("--map-remote", f"|.*/mapped$|http://{upstreams[0]}/elsewhere"),
        *("--map-remote", "|//renamed|/new"),
    )
    with Proxy(confdir, *scripts, *OPTIONS, *mapped, *record, *endpoints(*upstreams), script=None) as proxy:
        yield Beside(proxy, *upstreams)
        assert proxy.interrupt() == 0
        totals = proxy.totals
        assert (totals["skipped.local_reply"], totals["skipped.aborted"], totals["failed"]) == (2, 1, 0)
    lines = (folder / "record.jsonl").read_text().splitlines()
    assert len(lines) == totals["sent"]
    found = [json.loads(line) for line in lines]
    told = {(each["primary"]["status"], each["shadow"]["status"], each["verdict"]) for each in found}
    assert told == {(200, 200, "same")}, lines
    assert "Addon error" not in proxy.output


def test_v2_gets_what_v1_gets(beside: Beside) -> None:
    target = b"http://" + HOST + b"/serviceB"
    beside.v1.behave(answer(b"200 OK", b"Set-Cookie: session=1"))
    beside.v2.behave(answer(b"200 OK", b"Set-Cookie: session=1"))
    primary, shadow, status = beside.ask(b"GET " + target + b"/page", b'If-None-Match: "x"')
    assert b" 299 " in status
    assert_shadow(primary, shadow)
    assert (primary.value(b"authorization"), primary.value(b"x-env")) == (b"Bearer test", b"dev")
    assert primary.value(b"x-head") == b"early"
    assert not primary.values(b"if-none-match")

    primary, shadow, _ = beside.ask(b"POST " + target + b"/form", body=b"k=secret before")
    assert_shadow(primary, shadow)
    assert primary.body == b"k=masked, and longer after"
    assert primary.target == b"//form?added=1"
    assert primary.value(b"cookie") == b"session=1", "the sticky cookie of the first response"

    primary, shadow, _ = beside.ask(b"GET " + target + b"/mapped")
    assert primary.start_line == shadow.start_line == b"GET /elsewhere HTTP/1.1"
    assert primary.value(b"host") == b"127.0.0.1:%d" % beside.v1.port, "as mitmproxy maps it"
    assert shadow.value(b"host") == b"127.0.0.1-shadow:%d" % beside.v1.port

    primary, shadow, _ = beside.ask(b"GET " + target + b"/renamed?a=1")
    assert_shadow(primary, shadow)
    assert primary.start_line == b"GET /new?a=1 HTTP/1.1", "only the path is mapped: the rules say where it goes"

    primary, shadow, _ = beside.ask(b"POST " + target + b"/streamed", body=b"k=secret before")
    assert_shadow(primary, shadow)
    assert primary.body == b"k=masked before", "by a function in request.stream; mitmproxy cannot modify such a body"


def test_what_does_not_leave_has_no_shadow(beside: Beside) -> None:
    target = b"http://" + HOST + b"/serviceB"
    assert exchange(beside.proxy.address, request(b"GET " + target + b"/no")).status == 299
    assert exchange(beside.proxy.address, request(b"GET " + target + b"/local.txt")).status == 299
    with pytest.raises(ConnectionError):
        exchange(beside.proxy.address, request(b"GET " + target + b"/killed"))
    assert beside.v1.received == [] and beside.v2.received == []


def test_the_example_of_the_documentation(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    (tmp_path / "mask.py").write_text(shadow_hook())
    arguments = ("-s", str(tmp_path / "mask.py"), "--set", "stream_large_bodies=1k", *endpoints(v1, v2))
    target = b"http://" + HOST + b"/serviceB"
    body = b'{"mail": "jane@example.com"}'
    proxy = Proxy(confdir, *arguments)
    try:
        head = (b"Authorization: Bearer production", b"Content-Length: %d" % len(body))
        assert exchange(proxy.address, request(b"POST " + target + b"/users", *head, body=body)).status == 200
        (primary,), (shadow,) = v1.take(1), v2.take(1)
        assert (primary.body, primary.value(b"authorization")) == (body, b"Bearer production")
        assert shadow.body == b'{"mail": "masked"}'
        assert (shadow.value(b"authorization"), shadow.value(b"content-length")) == (b"Bearer staging", b"18")
        large = bytes(5000)
        assert (
            exchange(proxy.address, request(b"POST " + target + b"/files", b"Content-Length: 5000", body=large)).status
            == 200
        )
        (primary,), (shadow,) = v1.take(1), v2.take(1)
        assert (primary.body, shadow.body, shadow.value(b"authorization")) == (large, large, b"Bearer staging")
        assert exchange(proxy.address, request(b"POST " + target + b"/payments/1", b"Content-Length: 0")).status == 200
        v1.take(1)
        (tmp_path / "mask.py").write_text("def mirror_shadow(flow):\n    raise LookupError('no token')\n")
        proxy.wait_for("Loading script .*mask.py", after=len(proxy.output))
        assert exchange(proxy.address, request(b"GET " + target + b"/later")).status == 200
        v1.take(1)
        proxy.wait_for("mirror_shadow of a script failed: LookupError: no token")
        assert proxy.interrupt() == 0
    finally:
        proxy.kill()
    totals = proxy.totals
    assert (totals["sent"], totals["skipped.script"], totals["skipped.script_error"]) == (2, 1, 1)
    assert v2.received == []
