"""Which of several services of one host a proxy uses (istio `pilot/pkg/model/sidecar.go`, `push_context.go`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.service_registry import ServiceRegistry


def read(text: str) -> Sequence[Resource[Any]]:
    return parse_sources([Source("rules.yaml", text.encode())]).resources


HOST = "api.prod.svc.cluster.local"


def entry(namespace: str, extra: str = "", *, name: str = "e", meta: str = "", ports: str = "80", port: int = 1) -> str:
    numbers = ", ".join(f"{{number: {number}, name: p{number}}}" for number in ports.split())
    return (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
        f"metadata: {{name: {name}, namespace: {namespace}{meta}}}\n"
        f"spec: {{hosts: [{HOST}], ports: [{numbers}], resolution: STATIC, "
        f"endpoints: [{{address: 10.0.0.{port}}}]{extra}}}\n---\n"
    )


def service(annotations: str = "{}", selector: str = "{app: a}") -> str:
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: api, namespace: prod, annotations: {annotations}}}\n"
        f"spec: {{ports: [{{port: 80, name: http}}], selector: {selector}}}\n---\n"
    )


POD = (
    "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: pod, namespace: prod}\n"
    "spec: {address: 10.0.1.1, labels: {app: a}}\n---\n"
)

MESH = Identity(namespace="one", gateways=("mesh",))
EDGE = Identity(namespace="one", gateways=("edge",))
DEFAULT = Identity(namespace="one")


@pytest.mark.parametrize(
    ("documents", "identity", "namespace", "why"),
    [
        # The own namespace comes first, except on a gateway.
        ([entry("two"), entry("one")], MESH, "one", "own namespace; not used: two"),
        ([entry("two"), entry("one")], DEFAULT, "one", "own namespace"),
        ([entry("two", meta=", creationTimestamp: 2020-01-01T00:00:00Z"), entry("one",
          meta=", creationTimestamp: 2021-01-01T00:00:00Z")], EDGE, "two", "oldest"),
        ([entry("b"), entry("a")], MESH, "a", "oldest, then the first by namespace"),
        ([entry("a", meta=", creationTimestamp: 2021-01-01T00:00:00Z"), entry("b",
          meta=", creationTimestamp: 2020-01-01T00:00:00Z")], MESH, "b", "oldest"),
        # exportTo
        ([entry("one", ", exportTo: ['.']"), entry("two", ", exportTo: ['.']")], MESH, "one",
         "not exported to one: two"),
        ([entry("a"), entry("b", ", exportTo: [one]")], MESH, "b", "exported by name; not used: a"),
        ([entry("a"), entry("b", ", exportTo: [one]")], EDGE, "b", "exported by name"),
        ([entry("a", ", exportTo: [x]"), entry("b")], MESH, "b", "not exported to one: a"),
        ([entry("a", ", exportTo: ['*']"), entry("b", ", exportTo: ['~']")], MESH, "a", "not exported to one: b"),
        ([entry("one"), entry("a"), entry("b", ", exportTo: ['~']")], MESH, "one",
         "not used: a; not exported to one: b"),
        # The default identity sees what somebody sees, but prefers what is exported to it.
        ([entry("a", ", exportTo: ['.']"), entry("b")], DEFAULT, "b", "not exported to one: a"),
        ([entry("a", ", exportTo: ['.']")], DEFAULT, "a", ""),
        # A Kubernetes Service takes precedence, where it has instances here.
        ([entry("a"), service(), POD], MESH, "prod", "Kubernetes Service takes precedence"),
        ([entry("one"), service(), POD], MESH, "one", "own namespace"),
        ([entry("one"), service(), POD], EDGE, "prod", "Kubernetes Service takes precedence"),
        ([entry("a"), service()], MESH, "a", "not used: prod"),
        ([entry("a"), service('{networking.istio.io/exportTo: "."}'), POD], MESH, "a", "not exported to one: prod"),
    ],
)  # fmt: skip
def test_one_namespace_is_chosen(documents: list[str], identity: Identity, namespace: str, why: str) -> None:
    found = ServiceRegistry(read("".join(documents)), identity).services[HOST]
    assert found.namespace == namespace
    assert why in found.chosen


@pytest.mark.parametrize("identity", [MESH, EDGE])
@pytest.mark.parametrize("export_to", ["['.']", "['~']", "[two]", "['~', one]"])
def test_none_is_visible(export_to: str, identity: Identity) -> None:
    registry = ServiceRegistry(read(entry("a", f", exportTo: {export_to}")), identity)
    assert registry.services == {}
    assert registry.hidden == {HOST: f"{HOST} of namespace a is not exported to one"}


def test_what_is_exported_to_nobody_is_hidden_from_the_identity_that_sees_all() -> None:
    hidden, private = entry("a", ", exportTo: ['~']"), entry("b", ", exportTo: ['.']", port=2)
    assert ServiceRegistry(read(hidden), DEFAULT).hidden == {HOST: f"{HOST} of namespace a is not exported to one"}
    found = ServiceRegistry(read(hidden + private), DEFAULT).services[HOST]
    assert [instance.address for instance in found.instances] == ["10.0.0.2"]


class TestOneNamespace:
    def found(self, *documents: str) -> tuple[list[int], list[str]]:
        service = ServiceRegistry(read("".join(documents)), MESH).services[HOST]
        return list(service.ports), [instance.address for instance in service.instances]

    def test_documents_alike_add_up(self) -> None:
        assert self.found(entry("a", ports="81"), entry("a", name="f", port=2)) == ([80, 81], ["10.0.0.1", "10.0.0.2"])

    @pytest.mark.parametrize(
        ("extra", "meta"),
        [(", exportTo: ['*', x]", ""), ("", ", labels: {a: b}"), (", location: MESH_INTERNAL, resolution: DNS", "")],
    )
    def test_documents_that_differ_share_no_ports(self, extra: str, meta: str) -> None:
        other = entry("a", extra, name="f", meta=meta, ports="81").replace("resolution: STATIC, ", "", "DNS" in extra)
        assert self.found(entry("a"), other)[0] == [80]

    def test_of_two_ports_with_one_number_the_first_counts(self) -> None:
        text = entry("a", ports="80 81").replace("p80", "grpc").replace("name: grpc", "name: grpc, protocol: GRPC")
        service = ServiceRegistry(read(text + entry("a", name="f", ports="80")), MESH).services[HOST]
        assert [port.protocol for port in service.ports.values()] == ["grpc", "http"]

    def test_a_kubernetes_service_has_its_own_ports_and_the_instances_of_both(self) -> None:
        assert self.found(entry("prod", ports="80 81"), service(), POD) == ([80], ["10.0.1.1", "10.0.0.1"])

    def test_what_another_namespace_hides_is_not_used(self) -> None:
        assert self.found(entry("a"), entry("a", ", exportTo: ['.']", name="f", port=2)) == ([80], ["10.0.0.1"])


def alias(name: str, target: str, namespace: str = "default") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{type: ExternalName, externalName: {target}, ports: [{{port: 80, name: http}}]}}\n---\n"
    )


class TestAliases:
    def test_through_others(self) -> None:
        text = entry("one") + alias("a", HOST, "z") + alias("b", "a.z.svc.cluster.local", "x")
        registry = ServiceRegistry(read(text), MESH)
        assert registry.services[HOST].aliases == ("b.x.svc.cluster.local", "a.z.svc.cluster.local")

    def test_a_loop_stands_for_nothing(self) -> None:
        own = "{}.default.svc.cluster.local"
        text = alias("a", own.format("b")) + alias("b", own.format("a")) + alias("c", own.format("c"))
        assert all(service.aliases == () for service in ServiceRegistry(read(text), MESH).services.values())

    def test_of_a_host_that_nothing_declares(self) -> None:
        assert list(ServiceRegistry(read(alias("a", "real.com")), MESH).services) == ["a.default.svc.cluster.local"]
