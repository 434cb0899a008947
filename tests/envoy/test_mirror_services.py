from __future__ import annotations

from mirror_addon.envoy.mirror_services import MirrorServices
from mirror_addon.envoy.mirror_services import mirror_services
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.options.values import parse_endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1}}], mirror: {host: %s, port: {number: 9080}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app.test/name: reviews}, ports: [{name: http, port: 9080, targetPort: web}]}
"""


def made(mirror: str, more: str = "") -> MirrorServices:
    resources = parse_sources([Source("x.yaml", (RULES % mirror + more).encode())]).resources
    return mirror_services(RouteTable.build(resources, Identity()), resources)


def test_the_subset_of_a_known_service() -> None:
    found = made("reviews, subset: v2", SERVICE)
    (service,) = found.services
    assert service["metadata"] == {"name": "reviews-v2-mirror", "namespace": "shop"}
    assert service["spec"] == {
        "selector": {"app.test/name": "reviews", "version": "v2"},
        "ports": [{"name": "tcp-mirror", "port": 9080, "targetPort": "web"}],
    }
    (endpoint,) = found.endpoints
    parsed = parse_endpoint(endpoint)
    assert (parsed.host, parsed.subset, parsed.service_port) == ("reviews.shop.svc.cluster.local", "v2", 9080)
    assert (parsed.address, parsed.port) == ("reviews-v2-mirror.shop.svc.cluster.local", 9080)
    assert found.notes == ()


def test_what_the_rules_do_not_say_is_noted() -> None:
    found = made("reviews-next")
    (service,) = found.services
    assert service["metadata"]["name"] == "reviews-next-mirror"
    assert service["spec"]["selector"] == {"app": "reviews-next"}
    (note,) = found.notes
    assert "no Service shop/reviews-next" in note and "reviews-next-mirror" in note


def test_a_mirror_elsewhere_stays_as_it_is() -> None:
    assert made("mirror.example.test") == MirrorServices((), (), ())
