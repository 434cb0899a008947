"""Validation: endpoints, and WorkloadEntries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
PORT = "ports: [{number: 80, name: http, protocol: HTTP}]"
TWO = "ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: h2, protocol: HTTP}]"


@pytest.mark.parametrize(
    ("endpoint", "ports", "expected"),
    [
        ("{address: 1.2.3.4, ports: {http: 8080}, labels: {version: v1}, weight: 3}", PORT, []),
        ("{address: 'unix:///x'}", PORT, []),
        ("{address: 1.2.3.4, ports: {other: 8080}}", PORT, [(*E, "ports.other")]),
        ("{address: 1.2.3.4, ports: {http: 70000}}", PORT, [(*E, "ports.http")]),
        ("{address: 1.2.3.4, ports: {http: -1}}", PORT, [(*E, "ports.http")]),
        ("{address: 'unix:///x', ports: {http: 1}}", PORT, [(*E, "ports")]),
        ("{address: 'unix:///x'}", TWO, [(*E, "address")]),
        ("{address: 'unix://x'}", PORT, [(*E, "address")]),
        ("{}", PORT, [(*E, "address")]),
        ("{network: net}", PORT, [("warning", "IST0133", "network")]),
        ("{address: 'unix://@shop'}", PORT, []),
        ("{address: 'unix:///run/'}", PORT, [(*E, "address")]),
        ("{address: 'unix://'}", PORT, [(*E, "address")]),
        ("{address: 'fe80::1%eth0'}", PORT, []),
        ("{address: 1.2.3.4, ports: {HTTP: 8080}}", "ports: [{number: 80, name: HTTP, protocol: HTTP}]", []),
        ("{address: 1.2.3.4, labels: {Example.com/a: b}}", PORT, []),
        ("{address: 1.2.3.4, labels: {'a b': c}}", PORT, [(*E, "labels.a b")]),
        ("{address: 1.2.3.4, weight: -1}", PORT, [(*E, "weight")]),
    ],
)
def test_endpoints(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    endpoint: str,
    ports: str,
    expected: list[object],
) -> None:
    found = briefs(make("ServiceEntry", f"hosts: [a.b]\n{ports}\nresolution: STATIC\nendpoints: [{endpoint}]"))
    assert [(*item[:2], item[2].removeprefix("spec.endpoints[0]").lstrip(".")) for item in found] == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("address: 1.2.3.4", []),
        ("address: vm.example.com\nports: {http: 80}", []),
        ("labels: {a: b}", [(*E, "spec.address")]),
        ("address: a b", [(*E, "spec.address")]),
        ("address: 1.2.3.4\nports: {A: 80}", []),
        ("address: 1.2.3.4\nports: {a_b: 80}", [(*E, "spec.ports.a_b")]),
        ("address: 'unix://@shop'", []),
        ("address: 'unix://@'", []),
        ("address: 'unix:///run/shop.sock'", []),
        ("address: 'unix:///run/'", [(*E, "spec.address")]),
        ("address: 'unix:///'", [(*E, "spec.address")]),
        ("address: 'unix://run/shop'", [(*E, "spec.address")]),
        ("address: 'unix://'", [(*E, "spec.address")]),
        ("address: 'unix://@shop'\nports: {a: 80}", [(*E, "spec.ports")]),
        ("address: 'unix:/run/shop'", [(*E, "spec.address")]),
        ("network: net", [("warning", "IST0133", "spec.network")]),
        ("address: 1.2.3.4\nports: {a: 0}", [(*E, "spec.ports.a")]),
    ],
)
def test_workload_entries(
    make: Callable[..., str], briefs: Callable[..., list[object]], spec: str, expected: list[object]
) -> None:
    assert briefs(make("WorkloadEntry", spec)) == expected


@pytest.mark.parametrize(
    ("resolution", "endpoint", "paths"),
    [
        ("DNS", "{address: a.b}", []),
        ("DNS", "{address: 'unix://@x'}", ["spec.endpoints[0].address"]),
        ("DNS", "{network: net}", ["spec.endpoints[0].address"]),
        ("DNS_ROUND_ROBIN", "{address: a_b, labels: {a b: c}}", ["spec.endpoints[0].address", "labels"]),
        ("DNS", "{address: a.b, ports: {other: 80}}", ["spec.endpoints[0].ports.other"]),
        ("NONE", "{address: a_b}", ["spec.endpoints"]),
        ("STATIC", "{address: a.b}", ["spec.endpoints[0].address"]),
    ],
)
def test_endpoints_by_resolution(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    resolution: str,
    endpoint: str,
    paths: list[str],
) -> None:
    found = briefs(make("ServiceEntry", f"hosts: [a.b]\n{PORT}\nresolution: {resolution}\nendpoints: [{endpoint}]"))
    assert len(found) == len(paths)
    assert all(path in item[2] and item[:2] == E for path, item in zip(paths, found, strict=True))


def test_a_unix_socket_needs_static_resolution(make: Callable[..., str], briefs: Callable[..., list[object]]) -> None:
    spec = f"hosts: [a.b]\n{PORT}\nresolution: DNS\nendpoints: [{{address: 'unix:///x'}}]"
    assert briefs(make("ServiceEntry", spec)) == [(*E, "spec.endpoints[0].address")]
