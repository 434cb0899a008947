"""Routes of the Gateway API in all that shows, records and repeats: live page, commands, record, report, replay.

v1 and v2 of the orders speak TLS with certificates of an authority that stands in a ConfigMap.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from click.testing import CliRunner
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.shop import Shop
from livetools.web import Web
from livetools.wire import lines

from mirror_addon.cli.main import main

API = "gateway.networking.k8s.io/v1"
JSON = b"Content-Type: application/json"
ORDERS, CART = "shop/orders rules[0]", "shop/cart rules[0]"
CALL = "/test.Shop/Unary"


def document(kind: str, name: str, spec: dict[str, Any], version: str = API) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def rules_text(authority: Any) -> str:
    """An HTTPRoute and a GRPCRoute for a Gateway that is not there, with the Services of each version."""
    parents = [{"name": "edge", "namespace": "infra", "sectionName": "https"}]
    found: list[dict[str, Any]] = []
    for kind, name, host, match, port in (
        ("HTTPRoute", "orders", "shop.test", {"path": {"type": "PathPrefix", "value": "/orders"}}, 443),
        ("GRPCRoute", "cart", "grpc.test", {"method": {"service": "test.Shop"}}, 80),
    ):
        mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": f"{name}-v2", "port": port}}}
        backends = [{"name": f"{name}-v1", "port": port}]
        rule = {"matches": [match], "filters": [mirror], "backendRefs": backends}
        found.append(document(kind, name, {"parentRefs": parents, "hostnames": [host], "rules": [rule]}))
        ports = [{"name": "grpc" if kind == "GRPCRoute" else "https", "port": port}]
        found += [document("Service", f"{name}-{version}", {"ports": ports}, "v1") for version in ("v1", "v2")]
    for version in ("v1", "v2"):
        references = [{"group": "", "kind": "ConfigMap", "name": "ca"}]
        validation = {"hostname": f"{version}.test", "caCertificateRefs": references}
        targets = [{"group": "", "kind": "Service", "name": f"orders-{version}"}]
        spec = {"targetRefs": targets, "validation": validation}
        found.append(document("BackendTLSPolicy", f"orders-{version}", spec))
    config_map = document("ConfigMap", "ca", {}, "v1") | {"data": {"ca.crt": f"# ours\n{authority.path.read_text()}"}}
    del config_map["spec"]
    return yaml.safe_dump_all([*found, config_map])


class World:
    """mitmweb with the routes, after one request of each kind."""

    def __init__(self, web: Web, folder: Path, page: int, orders: Recorder, cart: Shop) -> None:
        self.web, self.folder, self.page, self.orders, self.cart = web, folder, page, orders, cart

    @property
    def rules(self) -> str:
        return str(self.folder / "rules.yaml")

    @property
    def record(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "record.jsonl").read_text().splitlines()]

    @property
    def endpoints(self) -> list[str]:
        return [f"orders-v2.shop={self.orders}", f"cart-v2.shop=127.0.0.1:{self.cart.port}"]

    def status(self) -> Any:
        reply = exchange(("127.0.0.1", self.page), lines(b"GET /api/status.json HTTP/1.1", b"Host: localhost"))
        return json.loads(reply.body)


@pytest.fixture(scope="module")
def shop(confdir: Path, authority: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "rules.yaml").write_text(rules_text(authority))
    bodies = [answer(b"200 OK", JSON, body=b'{"total": %d}' % total) for total in (1, 2)]
    with (
        Recorder(bodies[0], tls=authority.server("v1.test")) as orders1,
        Recorder(bodies[1], tls=authority.server("v2.test")) as orders2,
        Shop(b"\x08\x01") as cart1,
        Shop(b"\x08\x02") as cart2,
        reserved_port() as page,
    ):
        servers = {
            "orders-v1": orders1.port,
            "orders-v2": orders2.port,
            "cart-v1": cart1.port,
            "cart-v2": cart2.port,
        }
        settings = [
            f"mirror_rules={folder / 'rules.yaml'}",
            f"mirror_record={folder / 'record.jsonl'}",
            "mirror_record_bodies=true",
            f"mirror_web_port={page}",
            *(f"mirror_endpoints={name}.shop=127.0.0.1:{port}" for name, port in servers.items()),
        ]
        options = [word for setting in settings for word in ("--set", setting)]
        with Web(confdir, "--mode", "reverse:http://127.0.0.1:9", *options) as web:
            for number in (7, 8):
                asked = lines(b"GET /orders/%d HTTP/1.1" % number, b"Host: shop.test")
                assert exchange(web.address, asked).body == b'{"total": 1}'
            own = [("grpc.default_authority", "grpc.test"), ("grpc.enable_http_proxy", 0)]
            with grpc.insecure_channel(f"127.0.0.1:{web.address[1]}", own) as channel:
                assert channel.unary_unary(CALL)(b"", timeout=PATIENCE) == b"\x08\x01"
            made = World(web, folder, page, orders2, cart2)
            web.wait_until(lambda: (folder / "record.jsonl").exists() and len(made.record) == 3)
            orders2.take(2)
            cart2.one()
            yield made
        for each in (orders1, orders2):
            assert each.failures == []


def test_the_record(shop: World) -> None:
    found = Counter((line["rule"], line["route"], line["target"], line["endpoint"]) for line in shop.record[:3])
    assert found == {
        (ORDERS, "orders-v1", "orders-v2", "GET /orders/{id}"): 2,
        (CART, "cart-v1", "cart-v2", CALL): 1,
    }
    assert {line["verdict"] for line in shop.record[:3]} == {"different"}
    assert all(line["shadow"]["error"] is None for line in shop.record[:3]), "the authority of the ConfigMap is trusted"


def test_the_live_page(shop: World) -> None:
    shop.web.wait_until(lambda: sum(row["different"] for row in shop.status()["routes"]) >= 3)
    status = shop.status()
    assert {(row["rule"], row["route"], row["target"]) for row in status["routes"]} == {
        (ORDERS, "orders-v1", "orders-v2"),
        (CART, "cart-v1", "cart-v2"),
    }
    endpoints = {endpoint for finding in status["findings"] for endpoint in finding["endpoints"]}
    assert endpoints == {"GET /orders/{id}", CALL}
    assert {pair["rule"] for pair in status["differing"]} == {ORDERS, CART}
    assert [each.split(":")[0] for each in sorted(status["rules"])] == [CART, ORDERS]
    html = exchange(("127.0.0.1", shop.page), lines(b"GET / HTTP/1.1", b"Host: localhost")).body.decode()
    assert ORDERS in html and "orders-v2" in html and CALL in html


def test_commands_know_routes(shop: World) -> None:
    web = shop.web
    assert ORDERS in web.command("mirror.rules") and CART in web.command("mirror.rules")
    primary = next(flow for flow in web.call("GET", "/flows") if flow["request"]["path"].startswith("/orders/7"))
    explained = web.command("mirror.explain", f"@{primary['id']}")
    assert ORDERS in explained and "orders-v2" in explained
    assert web.command("mirror.pause", "shop/orders").startswith(f"{ORDERS}: paused")
    exchange(web.address, lines(b"GET /orders/paused HTTP/1.1", b"Host: shop.test"))
    web.wait_until(lambda: "skipped.paused 1\n" in web.command("mirror.status"))
    assert web.command("mirror.resume", "shop/orders") == f"{ORDERS}: resumed"


def test_replay_in_mitmweb(shop: World) -> None:
    flows = shop.web.call("GET", "/flows")
    primaries = [
        each for each in flows if each["comment"].startswith("mirrored to") and "paused" not in each["comment"]
    ]
    said = [shop.web.command("mirror.replay", f"@{each['id']}") for each in primaries[:3]]
    assert said == ["sent 1 shadow of 1 request"] * 3
    assert sorted(each.target for each in shop.orders.take(2)) == [b"/orders/7", b"/orders/8"]
    assert shop.cart.one()[:2] == ("Unary", [b""])


def test_the_report(shop: World) -> None:
    result = CliRunner().invoke(main, ["report", str(shop.folder / "record.jsonl"), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["skipped"] == 0
    targets = {each["target"]: each for each in found["targets"]}
    assert {endpoint["endpoint"] for endpoint in targets["orders-v2"]["endpoints"]} == {"GET /orders/{id}"}
    assert {endpoint["endpoint"] for endpoint in targets["cart-v2"]["endpoints"]} == {CALL}
    assert {endpoint for each in found["findings"] for endpoint in each["endpoints"]} == {
        "GET /orders/{id}",
        CALL,
    }


def test_the_replay_command(shop: World, tmp_path: Path) -> None:
    """By the rules of the routes, to the mirrors alone, compared with what the record has of the primaries."""
    captured = tmp_path / "captured.jsonl"
    captured.write_text("".join(f"{json.dumps(line)}\n" for line in shop.record[:3]))
    where = [word for each in shop.endpoints for word in ("--endpoint", each)]
    record = tmp_path / "again.jsonl"
    arguments = ["replay", "--rules", shop.rules, *where, "--speed", "max", "-o", str(record), str(captured)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert sorted(each.target for each in shop.orders.take(2)) == [b"/orders/7", b"/orders/8"]
    assert shop.cart.one()[:2] == ("Unary", [b""])
    again = [json.loads(line) for line in record.read_text().splitlines()]
    assert Counter((line["rule"], line["target"], line["endpoint"], line["verdict"]) for line in again) == {
        (ORDERS, "orders-v2", "GET /orders/{id}", "different"): 2,
        (CART, "cart-v2", CALL, "different"): 1,
    }
