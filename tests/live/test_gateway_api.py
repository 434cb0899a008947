"""The worked example as HTTPRoute, `examples/gateway-api`, with mitmdump: requests, the record, and reloads."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import assert_shadow
from livetools.worked_example import request


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    for file in (ROOT / "examples" / "gateway-api").glob("*.yaml"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def proxy(confdir: Path, rules: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    """The endpoints are those of the option: short names, one with the port of its Service."""
    v1, v2 = upstreams
    settings = (
        f"mirror_rules={rules}",
        f"mirror_endpoints=service-b-v1={v1}",
        f"mirror_endpoints=service-b-v2.default:80={v2}",
        f"mirror_record={rules / 'record.jsonl'}",
    )
    options = [word for setting in settings for word in ("--set", setting)]
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *options) as running:
        yield running


def test_byte_for_byte(proxy: Proxy, rules: Path, v1: Recorder, v2: Recorder) -> None:
    """Unlike the VirtualService, which makes //request/info of the path, the rewrite leaves one slash."""
    v1.behave(answer(b"200 Fine", body=b"from v1"))
    v2.behave(answer(b"500 Broken", body=b"from v2"))
    asked = request(b"GET /serviceB/request/info", b"User-Agent: curl/8.7.1", b"Accept: */*")
    assert exchange(proxy.address, asked).wire == lines(b"HTTP/1.1 200 Fine", b"Content-Length: 7") + b"from v1"
    primary, shadow = v1.one(), v2.one()
    assert primary.start_line == b"GET /request/info HTTP/1.1"
    assert_shadow(primary, shadow)
    deadline = time.monotonic() + PATIENCE
    while not (text := (rules / "record.jsonl").read_text() if (rules / "record.jsonl").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    line = json.loads(text)
    assert (line["rule"], line["route"], line["target"]) == (
        "default/service-b rules[0]",
        "service-b-v1",
        "service-b-v2",
    )
    assert (line["verdict"], line["primary"]["status"], line["shadow"]["status"]) == ("different", 200, 500)


def test_whole_elements_and_404(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    assert exchange(proxy.address, request(b"GET /serviceBread")).status == 404
    exchange(proxy.address, request(b"POST /serviceB", b"Content-Length: 3", body=b"abc"))
    assert (v1.one().target, v2.one().body) == (b"/", b"abc")


def test_the_start_names_the_rule_and_the_gateway(proxy: Proxy) -> None:
    assert "default/service-b rules[0]" in proxy.output
    assert "mirrored to service-b-v2 100 %" in proxy.output
    assert "NoMatchingParent" not in proxy.output, "a Gateway that is not there is no reason for a warning"


def test_a_reload_and_one_that_is_refused(proxy: Proxy, rules: Path, v1: Recorder, v2: Recorder) -> None:
    file = rules / "http-route.yaml"
    text = file.read_text()
    file.write_text(text.replace("percent: 100", "percent: 101"))
    proxy.wait_for(r"percent: must be a whole number from 0 to 100; it is 101")
    exchange(proxy.address, request(b"GET /serviceB/before"))
    assert (v1.one().target, v2.one().target) == (b"/before", b"/before")
    file.write_text(text.replace("value: /serviceB", "value: /serviceC"))
    deadline = time.monotonic() + PATIENCE
    while exchange(proxy.address, request(b"GET /serviceC/after")).status == 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (v1.one().target, v2.one().target) == (b"/after", b"/after")
    assert exchange(proxy.address, lines(b"GET /serviceB/x HTTP/1.1", b"Host: " + HOST)).status == 404
