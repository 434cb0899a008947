from __future__ import annotations

from mirror_addon.istio.resources.gateway import GatewaySpec


def test_hosts_among_other_fields() -> None:
    servers = [{"hosts": ["a.b", "ns/*.c"], "port": {"number": 80}, "tls": {"httpsRedirect": True}}, {}]
    spec = GatewaySpec.model_validate({"selector": {"istio": "ingress"}, "servers": servers})
    assert [server.hosts for server in spec.servers] == [("a.b", "ns/*.c"), ()]
