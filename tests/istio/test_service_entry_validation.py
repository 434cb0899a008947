"""Validation of service entries, a row for each rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
H = "hosts: [a.b]\n"
P = "ports: [{number: 80, name: http, protocol: HTTP}]\n"
S = "resolution: STATIC\n"
D = "resolution: DNS\n"
IP = "endpoints: [{address: 1.2.3.4}]\n"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (H + P + S + IP, []),
        (H + P + D, []),
        (H + P, []),
        (H + P + S + "workloadSelector: {labels: {a: b}}", []),
        (H + P + S + "workloadSelector: {labels: {'': b}}", [(*E, "spec.workloadSelector.labels.")]),
        (H + P + S + "workloadSelector: {labels: {a: '*'}}", [(*E, "spec.workloadSelector.labels.a")]),
        (H + P + S + "workloadSelector: {labels: {a b: c d}}", []),
        (H + P + S + "workloadSelector: {}", [(*W, "spec.workloadSelector")]),
        (H + P + S + IP + "workloadSelector: {labels: {a: b}}", [(*E, "spec.workloadSelector")]),
        (P + S + IP, [(*E, "spec.hosts")]),
        ("hosts: ['*']\n" + P + S + IP, [(*E, "spec.hosts[0]")]),
        ("hosts: [a_b]\n" + P + S + IP, [(*E, "spec.hosts[0]")]),
        ("hosts: ['*foo.com']\n" + P + S + IP, [(*W, "spec.hosts[0]")]),
        ("hosts: ['*foo.com']\n" + P + "resolution: DYNAMIC_DNS", []),
        (H + P + S + IP + "addresses: [x]", [(*E, "spec.addresses[0]")]),
        (H + P + S + IP + "addresses: [10.0.0.0/8, 1.1.1.1, '::1']", []),
        (H + P + D + IP + "addresses: [10.0.0.0/8]", [(*E, "spec.addresses[0]")]),
        (
            H + "ports: [null]\n" + S + IP,
            [
                (*E, "spec.ports[0].number"),
                (*E, "spec.ports[0].name"),
                ("warning", "IST0134", "spec.ports[0].protocol"),
            ],
        ),
        (
            H + "ports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: a, protocol: HTTP}]\n" + S + IP,
            [(*E, "spec.ports[1].name")],
        ),
        (
            H + "ports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: b, protocol: HTTP}]\n" + S + IP,
            [(*E, "spec.ports[1].number")],
        ),
        (H + "ports: [{number: 0, name: a, protocol: HTTP}]\n" + S + IP, [(*E, "spec.ports[0].number")]),
        (
            H + "ports: [{number: 1, name: a, protocol: HTTP, targetPort: 70000}]\n" + S + IP,
            [(*E, "spec.ports[0].targetPort")],
        ),
        (H + "ports: [{number: 1, name: A-B, protocol: HTTP}]\n" + S + IP, []),
        (H + "ports: [{number: 1, name: a_b, protocol: HTTP}]\n" + S + IP, [(*E, "spec.ports[0].name")]),
        (H + P + D + "addresses: [10.0.0.1/32]", [(*E, "spec.addresses[0]")]),
        (H + P + D + "addresses: [10.0.0.1]", []),
        (H + P + S + IP + "addresses: [10.0.0.0/255.0.0.0]", [(*E, "spec.addresses[0]")]),
        (H + P + S + IP + "addresses: [10.0.0.0/08]", [(*E, "spec.addresses[0]")]),
        (H + P + S + IP + "addresses: [10.0.0.0/33]", [(*E, "spec.addresses[0]")]),
        (H + P + S + IP + "addresses: ['fe80::%a/64']", [(*E, "spec.addresses[0]")]),
        (H + P + S + IP + "exportTo: ['~']", []),
        (H + P + S + IP + "exportTo: ['~', '.']", [(*E, "spec.exportTo")]),
        (H + P + S + IP + "exportTo: ['~', '*']", [(*E, "spec.exportTo"), (*E, "spec.exportTo")]),
        (H + P + S + IP + "exportTo: ['~', '~']", [(*E, "spec.exportTo[1]")]),
        ("hosts: ['*.b']\n" + P + D + "workloadSelector: {labels: {a: b}}", [(*E, "spec.hosts[0]")]),
        ("hosts: ['123']\n" + P + D, [(*E, "spec.hosts[0]")]),
        ("hosts: ['123']\n" + P, []),
        (H + "ports: [{number: 1, name: a, protocol: HTPP}]\n" + S + IP, [(*E, "spec.ports[0].protocol")]),
        (H + "ports: [{number: 1, name: a, protocol: gRPC-Web}]\n" + S + IP, []),
        (
            H + "ports: [{number: 1, name: a, protocol: TCP}]\n" + S + IP,
            [("warning", "IST0134", "spec.ports[0].protocol")],
        ),
        (H + "ports: [{number: 1, name: a}]\n" + S + IP, [("warning", "IST0134", "spec.ports[0].protocol")]),
        (H + "ports: [{number: 1, name: a, protocol: TCP}]\naddresses: [1.1.1.1]\n" + S + IP, []),
        (H + P + IP, [(*E, "spec.endpoints")]),
        (H + P + "workloadSelector: {labels: {a: b}}", [(*W, "spec.resolution")]),
        (H + P + S + "endpoints: [{address: a.b}]", [(*E, "spec.endpoints[0].address")]),
        (H + P + D + "endpoints: [{address: a.b}, {address: 1.2.3.4}]", []),
        ("hosts: ['*.b']\n" + P + D, [(*E, "spec.hosts[0]")]),
        ("hosts: ['*.b']\n" + P + D + "endpoints: [{address: a.b}]", []),
        (
            H + P + "resolution: DNS_ROUND_ROBIN\nendpoints: [{address: a.b}, {address: c.d}]",
            [(*E, "spec.endpoints")],
        ),
        (H + P + D + "endpoints: [{address: a_b}]", [(*E, "spec.endpoints[0].address")]),
        (H + P + "resolution: DYNAMIC_DNS", [(*E, "spec.hosts[0]")]),
        ("hosts: ['*.b']\n" + P + "resolution: DYNAMIC_DNS\naddresses: [1.1.1.1]", [(*E, "spec.addresses")]),
        ("hosts: ['*.b']\n" + P + "resolution: DYNAMIC_DNS\n" + IP, [(*E, "spec.endpoints")]),
        ("hosts: ['*.b']\n" + P + "resolution: DYNAMIC_DNS\nlocation: MESH_INTERNAL", []),
        (
            "hosts: ['*.b']\nports: [{number: 1, name: a, protocol: MONGO}]\nresolution: DYNAMIC_DNS",
            [(*E, "spec.ports[0].protocol")],
        ),
        (
            "hosts: [a.b, c.d]\nports: [{number: 1, name: a, protocol: MONGO}]\n" + S + IP,
            [(*E, "spec.ports[0].protocol")],
        ),
        ("hosts: [a.b, c.d]\nports: [{number: 1, name: a, protocol: TCP}]\naddresses: [1.1.1.1]", []),
        (
            "hosts: [a.b, c.d]\nports: [{number: 1, name: a, protocol: TLS}]\naddresses: [1.1.1.1]\n" + D,
            [(*W, "spec.ports[0].protocol")],
        ),
        ("hosts: [a.b, c.d]\nports: [{number: 1, name: a, protocol: TLS}]\naddresses: [1.1.1.1]\n" + S + IP, []),
        (
            "hosts: [a.b, c.d]\nports: [{number: 1, name: a}]\naddresses: [1.1.1.1]\n" + S + IP,
            [(*E, "spec.ports[0].protocol")],
        ),
        (
            "hosts: [a.b, c.d]\nports: [{number: 1, name: a, protocol: MONGO}]",
            [],
        ),
        ("hosts: [a.b, c.d]\n" + P + S + IP, []),
        (H + P + S + IP + "exportTo: ['*', '.']", [(*E, "spec.exportTo")]),
        (H + P + "resolution: static", [(*E, "spec.resolution")]),
    ],
    ids=lambda value: value[:70] if isinstance(value, str) else "",
)
def test_service_entries(
    make: Callable[..., str], briefs: Callable[..., list[object]], spec: str, expected: list[object]
) -> None:
    found = briefs(make("ServiceEntry", spec))
    assert [(*item[:2], item[2]) for item in found] == expected  # type: ignore[index]


@pytest.mark.parametrize(
    ("labels", "paths"),
    [("{istio.io/use-waypoint: w}", ["spec.location"]), ("{istio.io/use-waypoint: None}", []), ("{a: b}", [])],
)
def test_dynamic_dns_in_the_mesh_is_not_for_waypoints(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], labels: str, paths: list[str]
) -> None:
    text = make("ServiceEntry", "hosts: ['*.b']\n" + P + "resolution: DYNAMIC_DNS\nlocation: MESH_INTERNAL")
    found = briefs(text.replace("  namespace:", f"  labels: {labels}\n  namespace:"))
    assert [path for _, _, path in found] == paths


@pytest.mark.parametrize(
    ("status", "count"),
    [
        ("{addresses: [{host: a.b, value: 240.240.0.1}]}", 0),
        ("{addresses: []}", 1),
        ("{conditions: []}", 1),
        ("null", 1),
        ("[]", 1),
    ],
)
def test_an_address_that_istio_allocated_is_one(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], status: str, count: int
) -> None:
    text = make("ServiceEntry", H + D + "ports: [{number: 1, name: a, protocol: TCP}]") + f"status: {status}\n"
    assert briefs(text) == [("warning", "IST0134", "spec.ports[0].protocol")] * count
