"""mitmweb with the addon, spoken to over its own REST interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.client import exchange
from livetools.recorder import Recorder
from livetools.web import Web
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request


@pytest.fixture(scope="module")
def web(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Web]:
    with Web(confdir, *endpoints(*upstreams)) as running:
        yield running


def test_flows_and_status(web: Web, v1: Recorder, v2: Recorder) -> None:
    sent = request(b"POST http://%b/serviceB/orders?x=1" % HOST, b"Content-Length: 2", body=b"hi")
    assert exchange(web.address, sent).body == b"ok"
    assert v1.one().target == v2.one().target == b"//orders?x=1"
    primary = web.call("GET", "/flows")[0]
    assert primary["request"]["path"] == "//orders?x=1"
    assert primary["server_conn"]["address"] == ["127.0.0.1", v1.port]
    status = web.command("mirror.status")
    assert re.search(r"^offered 1$", status, re.MULTILINE), status
    assert HOST.decode() in web.command("mirror.rules")


def test_pause_and_resume(web: Web, v1: Recorder, v2: Recorder) -> None:
    web.command("mirror.pause")
    exchange(web.address, request(b"GET http://%b/serviceB/paused" % HOST))
    web.command("mirror.resume")
    exchange(web.address, request(b"GET http://%b/serviceB/resumed" % HOST))
    assert [primary.target for primary in v1.take(2)] == [b"//paused", b"//resumed"]
    assert v2.one().target == b"//resumed"


def test_shadows_are_flows_beside_their_primaries(web: Web, v1: Recorder, v2: Recorder) -> None:
    exchange(web.address, request(b"GET http://%b/serviceB/paired" % HOST))
    assert v1.one().target == v2.one().target == b"//paired"
    web.wait_until(lambda: len(pair(web)) == 2)
    primary, shadow = sorted(pair(web), key=lambda flow: str(flow["marked"]))
    assert shadow["marked"] == "👻"
    assert shadow["request"]["pretty_host"] == f"{HOST.decode()}-shadow"
    assert shadow["response"]["status_code"] == 200
    assert shadow["comment"].startswith(f"shadow of {primary['id'][:4]} -> serviceB/v2")


def pair(web: Web) -> list[Any]:
    return [flow for flow in web.call("GET", "/flows") if flow["request"]["path"] == "//paired"]
