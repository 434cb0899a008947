"""The live page and the terminal of real mitmproxy, under traffic."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from envoytools.bench import Envoy
from envoytools.bench import Recorders
from envoytools.outcome import OWN
from livetools.client import Client2
from livetools.client import exchange
from livetools.live_page import HOST as PAGE
from livetools.live_page import LivePage
from livetools.ports import reserved_port
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.web import Web
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request
from prometheus_client.parser import text_string_to_metric_families

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.routing.identity import Identity

JSON = b"Content-Type: application/json"


@pytest.fixture
def free_port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.fixture
def page(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[LivePage]:
    """Of a proxy of its own, so that its counters begin at 0."""
    with Proxy(confdir, *endpoints(*upstreams)) as proxy:
        yield LivePage(proxy.address)


def send(page: LivePage, path: bytes = b"/serviceB/x") -> None:
    """One request through the proxy at whose magic host the page is."""
    assert exchange(page.address, request(b"GET http://%b%b" % (HOST, path))).status == 200


def test_the_page_is_not_traffic(confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder) -> None:
    with Proxy(confdir, *endpoints(*upstreams)) as proxy:
        page = LivePage(proxy.address)
        assert "No request has come through the proxy yet" in page.get("/")
        head = page.ask(b"HEAD", b"/")
        assert (head.status, head.body, head.value(b"content-security-policy")[:11]) == (200, b"", b"default-src")
        assert page.ask(b"GET", b"/nothing").status == 404
        assert page.ask(b"GET", b"/?x=%ff%00").status == 200
        with Client2(proxy.address, PAGE.decode()) as client:
            assert client.exchange(b"GET", b"/parts?\xff").status == 200
        status = page.status()
        assert status["counters"]["requests"] == 0
        assert status["differing"] == []
        assert v1.received == []
    assert PAGE.decode() not in proxy.output


def test_what_the_page_tells(page: LivePage, v1: Recorder, v2: Recorder) -> None:
    v1.behave(answer(b"200 OK", JSON, body=b'{"price": 12.5}'))
    v2.behave(answer(b"200 OK", JSON, body=b'{"price": 12.49, "x": "<script>alert(1)</script>"}'))
    send(page)
    status = page.wait_until_told(1)
    assert status["compared_since"] is None
    assert status["routes"][0]["pairs"] == 1  # perhaps compared, as one of the samples that plain mitmdump compares
    page.get("/")  # which any web page can have a browser do
    assert page.status()["compared_since"] is None
    page.open()
    send(page, b"/serviceB/?q='&lt;")
    status = page.wait_until_told(2)
    (route,) = status["routes"]
    assert (route["rule"], route["route"], route["target"]) == (
        "default/serviceB http[0]",
        "serviceB/v1",
        "serviceB/v2",
    )
    assert route["pairs"] == 2
    assert route["compared"] == route["different"] >= 1
    assert 0 < route["primary_ms"]["p50"] < 10_000
    pair = status["differing"][0]
    assert {(each["path"], each["kind"]) for each in pair["differences"]} >= {("$.price", "value"), ("$.x", "extra")}
    text = page.get("/")
    assert "$.price" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "q=&#39;&amp;lt;" in text
    assert re.search(r"Responses are compared", text)


def test_metrics_do_not_begin_a_comparison(page: LivePage, v1: Recorder, v2: Recorder) -> None:
    send(page)
    page.wait_until_told(1)
    found = {
        (sample.name, sample.labels.get("envoy_cluster_name", "")): sample.value
        for family in text_string_to_metric_families(page.get("/metrics"))
        for sample in family.samples
    }
    assert found["envoy_cluster_upstream_rq_total", "serviceB/v2"] == 1
    assert found["envoy_cluster_upstream_rq_time_count", "serviceB/v2"] == 1
    assert page.status()["compared_since"] is None


def test_buttons(page: LivePage, v1: Recorder, v2: Recorder) -> None:
    assert page.press("pause").status == 200
    assert page.status()["state"] == "paused"
    send(page)
    page.wait_until(lambda status: status["counters"].get("skipped.paused") == 1)
    text = page.get("/")
    assert "Mirroring is paused: press Resume." in text
    assert page.press("resume").status == 200
    send(page)
    page.wait_until(lambda status: status["counters"]["sent"] == 1)
    rule = "default/serviceB http[0]"
    assert page.press("percent", rule=rule, percent="0").status == 200
    assert page.status()["overrides"] == [f"{rule}: 0 % of the requests"]
    send(page)
    page.wait_until(lambda status: status["counters"].get("skipped.percent") == 1)
    for percent in ("reset", "101", "x"):
        assert page.press("percent", rule=rule, percent=percent).status == (200 if percent == "reset" else 400)
    assert page.press("pause", rule="nobody/nothing").status == 400
    assert page.status()["overrides"] == []
    refused = page.ask(b"POST", b"/pause", b"Origin: http://evil.example", body=b"token=x")
    assert refused.status == 403


def test_a_port_of_its_own(confdir: Path, upstreams: tuple[Recorder, Recorder], free_port: int, v2: Recorder) -> None:
    with Proxy(confdir, *endpoints(*upstreams), "--set", f"mirror_web_port={free_port}") as proxy:
        proxy.wait_for(rf"the live page is at http://127\.0\.0\.1:{free_port}/")
        page = LivePage(("127.0.0.1", free_port), proxied=False)
        v2.behave(answer(b"500 Oops"))
        send(LivePage(proxy.address))
        assert page.wait_until_told(1)["routes"][0]["compared"] == 1
        assert page.press("pause").status == 200
        assert page.ask(b"HEAD", b"/").body == b""
        evil = lines(b"GET / HTTP/1.1", b"Host: evil.example:%d" % free_port)
        assert exchange(page.address, evil).status == 403
        garbage = exchange(page.address, lines(b"GET / HTTP/1.1", b"Host: a:b:c"))
        assert garbage.status == 403
    assert_free(free_port)


def assert_free(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_that_is_taken_stops_nothing(confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Proxy(confdir, *endpoints(*upstreams), "--set", f"mirror_web_port={taken.getsockname()[1]}") as proxy,
    ):
        proxy.wait_for(r"mirror_web_port=\d+: Address already in use; choose a port that is free")
        page = LivePage(proxy.address)
        send(page)
        assert page.status()["counters"]["requests"] == 1


def test_the_port_changes_while_running(confdir: Path, upstreams: tuple[Recorder, Recorder], free_port: int) -> None:
    with Web(confdir, *endpoints(*upstreams)) as web, socket.create_server(("127.0.0.1", 0)) as taken:
        page = LivePage(("127.0.0.1", free_port), proxied=False)
        web.call("PUT", "/options", {"mirror_web_port": str(free_port)})
        assert page.status()["state"] == "mirroring"
        with pytest.raises(AssertionError, match="Address already in use"):
            web.call("PUT", "/options", {"mirror_web_port": str(taken.getsockname()[1])})
        assert page.status()["state"] == "mirroring"
        assert web.call("GET", "/flows") == []
        assert LivePage(web.address).status()["state"] == "mirroring"
        assert web.call("GET", "/flows") == []
        web.call("PUT", "/options", {"mirror_web_port": ""})
        assert_free(free_port)


def test_the_page_survives_a_reload_of_the_script(
    confdir: Path, tmp_path: Path, upstreams: tuple[Recorder, Recorder], free_port: int
) -> None:
    script = tmp_path / "mirror_addon"
    script.write_text((ROOT / "mirror_addon").read_text())
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    (tmp_path / "src").symlink_to(ROOT / "src")
    options = (*endpoints(*upstreams), "--set", f"mirror_web_port={free_port}")
    with Proxy(confdir, *options, cwd=tmp_path) as proxy:
        page = LivePage(("127.0.0.1", free_port), proxied=False)
        assert page.status()["state"] == "mirroring"
        seen = len(proxy.output)
        os.utime(script, (time.time() + 10,) * 2)
        proxy.wait_for("the live page is at", after=seen)
        assert page.status()["state"] == "mirroring"
        assert LivePage(proxy.address).status()["state"] == "mirroring"


def test_a_password_for_the_proxy_is_one_for_the_page(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> None:
    with Proxy(confdir, "--proxyauth", "me:secret", *endpoints(*upstreams)) as proxy:
        page = LivePage(proxy.address)
        assert page.ask(b"GET", b"/").status == 407
        assert page.ask(b"GET", b"/", b"Proxy-Authorization: Basic bWU6c2VjcmV0").status == 200


def test_in_reverse_mode_the_name_is_the_upstreams(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with Proxy(confdir, "--mode", f"reverse:http://{v1}", *endpoints(v1, v2)) as proxy:
        assert exchange(proxy.address, lines(b"GET / HTTP/1.1", b"Host: " + PAGE)).body == b"ok"
        assert v1.one().value(b"host") == PAGE


def test_the_terminal(confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder) -> None:
    with Proxy(confdir, *endpoints(*upstreams)) as proxy:
        page = LivePage(proxy.address)
        send(page, b"/serviceB/same")
        page.wait_until_told(1)
        v2.behave(answer(b"500 Oops"))
        send(page, b"/serviceB/differs")
        page.wait_until_told(2)
    assert re.search(r"mirror: first shadow of default/serviceB \S+: GET http://\S+/serviceB/same -> ", proxy.output)
    assert re.search(r"mirror: GET http://\S+/serviceB/differs -> serviceB/v2: 200 vs 500, ", proxy.output)
    end = proxy.output.partition("mirror: at the end\n")[2]
    assert {"requests 2", "offered 2", "sent 2"} <= set(end.splitlines())
    table = end.partition("mirror: by rule and mirror\n")[2]
    assert "1 (50 %)" in table


def test_the_terminal_tells_every_shadow_with_v(
    confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder
) -> None:
    plain = {"PYTHONIOENCODING": "ascii", "COLUMNS": "10"}
    with Proxy(confdir, "-v", *endpoints(*upstreams), env=plain) as proxy:
        page = LivePage(proxy.address)
        send(page)
        page.wait_until_told(1)
        proxy.wait_for(
            r"mirror: (?:first shadow of default/serviceB \S+: )?GET http://\S+ -> serviceB/v2: 200 vs 200, "
        )
    assert "mirror: by rule and mirror" in proxy.output


RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.test]
  http:
  - route: [{destination: {host: v1}}]
    mirror: {host: m1}
"""


def samples(text: str) -> dict[str, set[str]]:
    """Names that begin with `envoy_`, with the names of their labels."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(envoy_\w+)\{(.*)\} ", text, re.MULTILINE):
        # A cluster's own name ends at its first dot for Envoy, which takes what follows for a part of the counter's.
        name = re.sub(r"default_svc_cluster_local_(?:external_|internal_)?", "", name)
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def test_envoys_names_are_envoys(
    tmp_path: Path, confdir: Path, upstreams: tuple[Recorder, Recorder], page: LivePage, v2: Recorder
) -> None:
    """What is called `envoy_...` here is called so, with these labels, in Envoy's own /stats/prometheus."""
    send(page)
    page.wait_until_told(1)
    ours = samples(page.get("/metrics"))
    assert len(ours) > 10
    with Recorders() as recorders, Envoy(tmp_path) as envoy:
        options = ExportOptions(Address("127.0.0.1", 0), Address("127.0.0.1", 0))
        envoy.apply(translate(recorders.table(RULES, Identity(local_address=OWN)), options))
        assert exchange(envoy.address, lines(b"GET / HTTP/1.1", b"Host: a.test")).status == 200
        recorders.by_name["m1"].one()
        host, _, port = (tmp_path / "admin").read_text().rpartition(":")
        deadline = time.monotonic() + PATIENCE  # a histogram is told after some seconds
        while missing := ours.keys() - (theirs := samples(stats((host, int(port))))).keys():
            assert time.monotonic() < deadline, missing
            time.sleep(0.2)
    assert {name: labels - theirs[name] for name, labels in ours.items() if labels - theirs[name]} == {}


def stats(address: tuple[str, int]) -> str:
    return exchange(address, lines(b"GET /stats/prometheus HTTP/1.1", b"Host: admin")).body.decode()
