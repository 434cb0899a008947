from __future__ import annotations

import re

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.lost_endpoints import lost
from mirror_addon.rules.lost_endpoints import missing_endpoints

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: b, subset: v1}, weight: 50}, {destination: {host: b, subset: v2}, weight: 50}]
    mirror: {host: b, subset: v2}
  - match: [{uri: {prefix: /local}}]
    directResponse: {status: 200}
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: b}
spec: {host: b, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [b.default.svc.cluster.local]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, labels: {version: v1}}, {address: 127.0.0.2, labels: {version: v2}}]
"""


def missing(text: str) -> dict[tuple[str, str, str], str]:
    return missing_endpoints(RouteTable.build(parse_sources([Source("a.yaml", text.encode())]).resources, Identity()))


def losses(old: str, new: str) -> list[str]:
    assert old in RULES
    return lost(missing(RULES), missing(RULES.replace(old, new, 1)))


def test_nothing_is_missing() -> None:
    assert missing(RULES) == {}
    assert losses("/a", "/b") == []


ALL_V2 = ["route", "mirror", "mirror"]


@pytest.mark.parametrize(
    ("old", "new", "parts", "said"),
    [
        ("mirror: {host: b, subset: v2}", "mirror: {host: b, subset: v22}", ["mirror"], r"v1, v2; did you mean v2\?"),
        ("mirror: {host: b,", "mirror: {host: bb,", ["mirror"], "no ServiceEntry or Service declares bb"),
        ("{name: v2, labels", "{name: v2x, labels", ALL_V2, r"it has: v1, v2x; did you mean v2x\?"),
        ("127.0.0.2, labels: {version: v2}", "127.0.0.2, labels: {version: v9}", ALL_V2, "has the labels version=v2"),
        ("number: 80", "number: 81", [], ""),
    ],
)
def test_what_an_edit_takes_away(old: str, new: str, parts: list[str], said: str) -> None:
    found = losses(old, new)
    assert [part for line in found for part in re.findall(r"for its (route|mirror) b", line)] == parts
    for line in found:
        assert line.startswith("since this change, default/shop http[")
        assert "its requests get a 503" in line or "nothing is mirrored there" in line
        assert re.search(said, line)
        assert line.count("no endpoint for") == 1


def test_what_was_missing_before_is_not_lost() -> None:
    broken = RULES.replace("{name: v2, labels", "{name: v3, labels")
    assert missing(broken)
    assert lost(missing(broken), missing(broken.replace("/a", "/b"))) == []
    assert lost(missing(broken), missing(RULES)) == []
