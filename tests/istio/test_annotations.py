from __future__ import annotations

import json
from typing import Any

import pytest

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.mirror_annotations import KNOWN
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

ALL = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
  annotations:
    mirror-addon/expires: 2026-11-22T20:00:00+08:00
    mirror-addon/active: 2026-11-22T20:00+08:00/PT30M
    mirror-addon/max-rps: "5"
    mirror-addon/max-requests: "1000"
    mirror-addon/max-latency: 500ms
    mirror-addon/methods: safe
    mirror-addon/when: ~c 500
    mirror-addon/sample-by: cookie:sid
    mirror-addon/remove-headers: Authorization, Cookie
    mirror-addon/set-headers: '{"X-Mirror-Shadow": "1"}'
    mirror-addon/ignore: $.id
    mirror-addon/twin: "true"
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
"""
CHECKS = {"when": lambda text: "" if "~" in text else "is not a filter", "ignore": lambda text: ""}


def check(text: str) -> list[Diagnostic]:
    return [
        found
        for found in parse_sources([Source("f.yaml", text.encode(), 0.0)], annotation_checks=CHECKS).diagnostics
        if found.severity != "info"
    ]


def document(annotations: dict[str, Any], **spec: Any) -> str:
    http = {"route": [{"destination": {"host": "b"}}], "mirror": {"host": "c"}}
    return json.dumps(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "shop", "annotations": annotations},
            "spec": {"hosts": ["shop.test"], "http": [http]} | spec,
        }
    )


def test_a_file_with_all_of_them_is_in_order() -> None:
    assert check(ALL) == []
    assert all(f"mirror-addon/{name}:" in ALL for name in KNOWN)
    (resource,) = parse_sources([Source("f.yaml", ALL.encode())]).resources
    assert len(resource.annotations) == len(KNOWN)
    assert all(type(text) is str for text in resource.annotations.values()), "as an API server wants them"


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "said"),
    [
        ('max-rps: "5"', "max-rps: 5", 8, 27, "must be text; it is the number 5: put it in quotes"),
        ('max-requests: "1000"', 'max-requests: "many"', 9, 32, "is not a count"),
        ("max-latency: 500ms", "max-latency: 500", 10, 31, "must be text; it is the number 500: put it in quotes"),
        ("max-latency: 500ms", "max-latency: '500'", 10, 31, "is not a duration; write it as in '500ms'"),
        ("max-latency: 500ms", "max_latency: 500ms", 10, 5, "did you mean 'mirror-addon/max-latency'"),
        ("methods: safe", "methods: GET POST", 11, 27, "is not a method"),
        ("when: ~c 500", "when: c 500", 12, 24, "is not a filter"),
        ("cookie:sid", "kookie:sid", 13, 29, "did you mean 'cookie'?"),
        ("sample-by:", "sampleby:", 13, 5, "did you mean 'mirror-addon/sample-by'"),
        ("+08:00/PT30M", "+08:00/P1M", 7, 26, "is not a duration here"),
        ('\'{"X-Mirror-Shadow": "1"}\'', "{X-Mirror-Shadow: 1}", 15, 31, "must be text; it is a mapping"),
    ],
)
def test_a_wrong_one_is_an_error_with_its_place(old: str, new: str, line: int, column: int, said: str) -> None:
    (found,) = check(ALL.replace(old, new))
    assert (found.severity, found.code, found.line, found.column) == ("error", "IST0106", line, column)
    assert said in found.message


def test_values_are_judged_where_another_is_no_text() -> None:
    found = check(ALL.replace('"5"', "5").replace('"1000"', "many"))
    assert [each.line for each in found] == [8, 9]


def test_those_without_a_mirror_have_no_effect() -> None:
    given = {"mirror-addon/methods": "safe"}
    (found,) = check(document(given, http=[{"route": [{"destination": {"host": "b"}}]}]))
    assert (found.severity, found.path) == ("warning", "metadata.annotations.mirror-addon/methods")
    assert "mirrors nothing" in found.message
    delegating = [{"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": "inner", "namespace": "default"}}]
    assert check(document(given, http=delegating)) == []


def test_they_belong_to_virtual_services() -> None:
    text = ALL.replace("kind: VirtualService", "kind: DestinationRule")
    text = text[: text.index("spec:")] + "spec: {host: b}\n"
    found = check(text)
    assert {(each.severity, each.code) for each in found} == {("warning", "IST0133")}
    assert len(found) == len(KNOWN)


@pytest.mark.parametrize("name", ["istio.io/dry-run", "internal.istio.io/parents"])
def test_those_that_istio_refuses(name: str) -> None:
    (found,) = check(document({name: "x"}))
    assert found.severity == "error" and "Istio refuses" in found.message


def test_others_are_nobodys_business() -> None:
    assert check(document({"team.example.com/owner": "b", "mirror": "yes"})) == []
