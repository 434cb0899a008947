from __future__ import annotations

import json
from typing import Any

from mirror_addon.istio.expiry_analysis import find_endless_mirrors
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

MIRROR = {"host": "b", "subset": "v2"}
ENDS = {"mirror-addon/expires": "72h"}


def service(name: str, *rules: dict[str, Any], ends: bool = False, **spec: Any) -> dict[str, Any]:
    http = [
        {"name": f"r{number}", "route": [{"destination": {"host": "b"}}], **rule} for number, rule in enumerate(rules)
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "default", "annotations": ENDS if ends else {}},
        "spec": {"hosts": [f"{name}.test"], "http": http, **spec},
    }


def root(name: str, delegate: str, ends: bool) -> dict[str, Any]:
    made = service(name, ends=ends)
    made["spec"]["http"] = [{"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": delegate}}]
    return made


def endless(*documents: dict[str, Any]) -> list[str]:
    text = "\n---\n".join(map(json.dumps, documents))
    found = find_endless_mirrors(parse_sources([Source("f.yaml", text.encode())]).resources)
    assert {(each.severity, each.code) for each in found} <= {("warning", "MIRROR0001")}
    return [each.path for each in found]


def test_each_rule_with_a_mirror() -> None:
    assert endless(service("a", {"mirror": MIRROR}, {}, {"mirrors": [{"destination": MIRROR}]})) == [
        "spec.http[0].mirror",
        "spec.http[2].mirrors",
    ]


def test_an_end_is_enough() -> None:
    assert endless(service("a", {"mirror": MIRROR}, ends=True)) == []


def test_what_is_off_needs_none() -> None:
    assert (
        endless(
            service(
                "a",
                {"mirror": MIRROR, "mirrorPercentage": {"value": 0}},
                {"mirror": MIRROR, "mirrorPercent": 0},
                {"mirrors": [{"destination": MIRROR, "percentage": {"value": 0}}]},
            )
        )
        == []
    )
    assert endless(service("a", {"mirror": MIRROR, "mirrorPercent": 0, "mirrorPercentage": {"value": 1}}))


def test_a_delegate_ends_with_all_its_roots() -> None:
    inner = service("inner", {"mirror": MIRROR})
    del inner["spec"]["hosts"]
    assert endless(inner) == ["spec.http[0].mirror"]
    assert endless(inner, root("a", "inner", True)) == []
    assert endless(inner, root("a", "inner", True), root("b", "inner", False)) == ["spec.http[0].mirror"]
