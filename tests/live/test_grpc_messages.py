"""gRPC messages compared by field, through mitmdump, with real clients and servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from messagetools import descriptors
from messagetools import order

HOST = "shop.test"
RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: shop, subset: v1}}]
    mirror: {host: shop, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets: [{name: v1, labels: {v: "1"}}, {name: v2, labels: {v: "2"}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: grpc, protocol: GRPC}]
  endpoints:
  - {address: 127.0.0.1, labels: {v: "1"}, ports: {grpc: %d}}
  - {address: 127.0.0.1, labels: {v: "2"}, ports: {grpc: %d}}
"""


@contextmanager
def shop(price: float, *, reflects: bool) -> Iterator[int]:
    """A server of shop.Shop. Its port."""
    server = grpc.server(futures.ThreadPoolExecutor(4))

    def get(_: bytes, context: grpc.ServicerContext) -> bytes:
        return bytes(order(id=1, items=[{"sku": "a", "price": price}]).SerializeToString())

    def watch(_: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield get(b"", context)
        yield bytes(order(id=2, small=int(price)).SerializeToString())

    handlers = {"Get": grpc.unary_unary_rpc_method_handler(get), "Watch": grpc.unary_stream_rpc_method_handler(watch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", handlers),))
    if reflects:
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
            pool.Add(file)
        reflection.enable_server_reflection(("shop.Shop", reflection.SERVICE_NAME), server, pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@pytest.mark.parametrize("way", ["protos", "reflection"])
def test_fields_have_names(way: str, confdir: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    (tmp_path / "types.desc").write_bytes(descriptors())
    option = "mirror_reflection=true" if way == "reflection" else f"mirror_protos={tmp_path / 'types.desc'}"
    with shop(9.5, reflects=way == "reflection") as v1, shop(8.5, reflects=False) as v2:
        (tmp_path / "rules.yaml").write_text(RULES % (v1, v2))
        arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", f"mirror_rules={tmp_path / 'rules.yaml'}")
        arguments += ("--set", f"mirror_record={record}", "--set", option)
        with Proxy(confdir, *arguments) as proxy:
            credentials = grpc.ssl_channel_credentials((confdir / "mitmproxy-ca-cert.pem").read_bytes())
            options = [("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", HOST)]
            with grpc.secure_channel(f"127.0.0.1:{proxy.address[1]}", credentials, options) as channel:
                lines = until(record, channel, "Get", lambda line: line["differences"][0]["path"] == "$.items[*].price")
                assert lines["endpoint"] == "/shop.Shop/Get"
                assert (lines["differences"][0]["primary"], lines["differences"][0]["shadow"]) == (9.5, 8.5)
                lines = until(record, channel, "Watch", lambda line: line["url"].endswith("/Watch"))
                assert {each["path"] for each in lines["differences"]} == {"$[*].items[*].price", "$[*].small"}
            assert proxy.interrupt() == 0


def until(record: Path, channel: Any, method: str, wanted: Callable[[Any], bool]) -> Any:
    """Call until the newest line of the record is as wanted: types that are reflected come a little later."""
    call = (channel.unary_unary if method == "Get" else channel.unary_stream)(f"/shop.Shop/{method}")
    deadline = time.monotonic() + PATIENCE
    count = 0
    while True:
        answer = call(b"", timeout=PATIENCE)
        if method != "Get":
            assert len(list(answer)) == 2
        count += 1
        while not record.exists() or len(lines := record.read_text().splitlines()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        line = json.loads(lines[-1])
        if wanted(line):
            return line
        assert time.monotonic() < deadline, line
