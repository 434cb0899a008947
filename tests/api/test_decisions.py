from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirror_addon.api.decisions import Destination
from mirror_addon.api.decisions import RoutingRules

RULES = Path(__file__).resolve().parents[2] / "rules"
URL = "http://istio.gateway.xxxx.tech/serviceB/a"


def test_a_routed_request() -> None:
    rules = RoutingRules(RULES)
    found = rules.decide("GET", URL, [("X-A", "1")], client="192.0.2.1")
    assert (found.action, found.rule, found.match, found.response) == ("route", "http[0]", 0, None)
    assert found.destination == Destination(
        "serviceB.default.svc.cluster.local", "v1", found.destination.port, "127.0.0.1:9001"
    )
    assert found.request is not None and ("X-A", "1") in found.request.headers
    (mirror,) = found.mirrors
    assert (mirror.destination.subset, mirror.sampled, mirror.skipped) == ("v2", True, None)
    assert mirror.authority == "istio.gateway.xxxx.tech-shadow" and mirror.headers
    assert found.trace and found.virtual_service and found.route is None


def test_what_no_rule_names() -> None:
    found = RoutingRules(RULES).decide("GET", "https://elsewhere.test/", port=8443)
    assert (found.action, found.destination, found.mirrors) == ("passthrough", None, ())
    assert found.request is not None and found.request.scheme == "https"


def test_a_local_reply_and_options(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.test]
  http:
  - match: [{uri: {prefix: /x}}]
    directResponse: {status: 204}
  - route: [{destination: {host: gone}}]
    mirrors: [{destination: {host: gone}, percentage: {value: 50}}]
""")
    rules = RoutingRules(tmp_path, options={"mirror_namespace": "shop", "mirror_gateways": ["mesh"]})
    found = rules.decide("GET", "http://a.test/x")
    assert found.response is not None and (found.response.status, found.action) == (204, "direct_response")
    assert any("IST0101" in each for each in rules.findings)
    drawn = [rules.decide("GET", "http://a.test/", draw=draw).mirrors[0] for draw in (0, 2**64 - 1)]
    assert {each.percent for each in drawn} == {50}
    assert {each.headers for each in drawn} == {None}, "there is no endpoint"


def test_a_mirror_without_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = RoutingRules(options={"mirror_to": ["|~u /x|http://localhost:9002"]})
    assert [len(rules.decide("GET", f"http://a.test/{path}").mirrors) for path in ("x", "y")] == [1, 0]


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (["gone"], {}, "there is no file or folder 'gone'"),
        ([], {}, "there is no file or folder 'rules'"),
        ([RULES], {"mirror_nothing": 1}, "mirror_nothing"),
        ([RULES], {"mirror_enabled": "yes"}, "must be a bool"),
        ([RULES], {"mirror_timeout": 3}, "must be a str"),
        ([RULES], {"mirror_gateways": "mesh"}, "must be a list of str"),
        ([RULES], {"mirror_timeout": "soon"}, "mirror_timeout=soon"),
        ([RULES], {"mirror_to": ["|~q (|http://localhost:1"]}, "filter"),
        (["broken.yaml"], {}, "broken.yaml:2:1"),
    ],
)  # fmt: skip
def test_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[Any], options: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        RoutingRules(*paths, options=options)


def test_a_request_that_is_none() -> None:
    rules = RoutingRules(RULES)
    with pytest.raises(ValueError, match="url: must be absolute"):
        rules.decide("GET", "/x")
    with pytest.raises(ValueError, match="draw"):
        rules.decide("GET", URL, draw=-1)
