from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from mirror_addon.istio.mesh_config import MeshWide
from mirror_addon.istio.mesh_config import mesh_wide
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.visibility import scopes

Make = Callable[..., str]
ENTRY = "hosts: [a.b]\nresolution: DNS\nports: [{number: 80, name: http, protocol: HTTP}]"
ROUTE = "hosts: [a.b]\nhttp: [{route: [{destination: {host: a.b}}]}]"


def config_map(mesh: str, name: str = "istio", namespace: str = "istio-system") -> str:
    text = textwrap.indent(mesh, "    ")
    return f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {namespace}}}
data:
  meshNetworks: "networks: {{}}"
  mesh: |-
{text}
"""


def applied(*texts: str) -> MeshWide:
    parsed = parse_sources([Source("f.yaml", "---\n".join(texts).encode())])
    assert not [item for item in parsed.diagnostics if item.severity == "error"]
    return mesh_wide(parsed.resources)


def seen_by(mesh: MeshWide, kind: str) -> list[frozenset[str]]:
    return [scopes(item) for item in mesh.resources if item.kind == kind]


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("VirtualService", ROUTE, "defaultVirtualServiceExportTo"),
        ("ServiceEntry", ENTRY, "defaultServiceExportTo"),
        ("Service", "ports: [{name: http, port: 80}]", "defaultServiceExportTo"),
        ("DestinationRule", "host: a.b", "defaultDestinationRuleExportTo"),
    ],
)
def test_what_has_no_export_to_gets_the_meshs(make: Make, kind: str, spec: str, field: str) -> None:
    text = make(kind, spec, "x", "shop")
    everyone, own = frozenset({"*"}), frozenset({"shop"})
    assert seen_by(applied(text), kind) == [everyone]
    assert seen_by(applied(text, config_map(f"{field}: ['.']")), kind) == [own]
    assert seen_by(applied(config_map(f"{field}: ['*']"), text), kind) == [everyone]
    assert seen_by(applied(config_map(f"{field}: []"), text), kind) == [everyone]
    assert seen_by(applied(config_map("rootNamespace: x"), text), kind) == [everyone]
    others = seen_by(applied(config_map(f"{field}: [., other]"), text), kind)
    # Of a destination rule's default pilot looks at '.' only.
    assert others == [own if kind == "DestinationRule" else own | {"other"}]


def test_what_has_an_export_to_keeps_it(make: Make) -> None:
    mesh = config_map("defaultServiceExportTo: ['.']\ndefaultVirtualServiceExportTo: ['.']")
    entry = make("ServiceEntry", f"{ENTRY}\nexportTo: [other]", "x", "shop")
    service = make("Service", "ports: [{name: http, port: 80}]", "x", "shop").replace(
        "  namespace: shop", "  namespace: shop\n  annotations: {networking.istio.io/exportTo: '*'}"
    )
    route = make("VirtualService", f"{ROUTE}\nexportTo: ['*']", "x", "shop")
    found = applied(mesh, entry, service, route)
    assert seen_by(found, "ServiceEntry") == [frozenset({"other"})]
    assert seen_by(found, "Service") == seen_by(found, "VirtualService") == [frozenset({"*"})]


@pytest.mark.parametrize(
    ("metadata", "allocated"),
    [
        ("ISTIO_META_DNS_CAPTURE: 'true', ISTIO_META_DNS_AUTO_ALLOCATE: 'true'", True),
        ("ISTIO_META_DNS_CAPTURE: 'true', PILOT_ENABLE_IP_AUTOALLOCATE: 'true'", True),
        ("ISTIO_META_DNS_AUTO_ALLOCATE: 'true'", False),
        ("ISTIO_META_DNS_CAPTURE: 'true'", False),
        ("ISTIO_META_DNS_CAPTURE: 'true', ISTIO_META_DNS_AUTO_ALLOCATE: 'false'", False),
    ],
)
def test_addresses_of_service_entries_that_the_mesh_allocates(make: Make, metadata: str, allocated: bool) -> None:
    entry = make("ServiceEntry", ENTRY.replace("HTTP", "TCP"))
    text = config_map(f"defaultConfig:\n  proxyMetadata: {{{metadata}}}")
    (finding,) = parse_sources([Source("f.yaml", entry.encode())]).diagnostics
    assert finding.code == "IST0134"
    assert applied(entry, text).concerns(finding) is not allocated


@pytest.mark.parametrize(
    ("mesh", "why"),
    [
        ("a: [", "line 2: is not YAML"),
        ("- a", "must be a mapping; it is a list"),
        ("defaultServiceExportTo: '*'", "defaultServiceExportTo: must be a list"),
        ("a: 1\na: 2", "line 2"),
        ("defaultConfig: {proxyMetadata: {A: true}}", "defaultConfig.proxyMetadata.A: must be text; it is true"),
    ],
)
def test_a_configuration_that_cannot_be_read(make: Make, mesh: str, why: str) -> None:
    found = applied(config_map(mesh), make("ServiceEntry", ENTRY))
    (finding,) = found.diagnostics
    assert (finding.severity, finding.code, finding.path) == ("warning", "IST0133", "data.mesh")
    assert why in finding.message
    assert seen_by(found, "ServiceEntry") == [frozenset({"*"})]


def test_an_empty_configuration() -> None:
    assert applied(config_map("")).diagnostics == ()
    assert applied("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\n").diagnostics == ()


def test_fields_without_effect_are_named() -> None:
    (finding,) = applied(config_map("pathNormalization: {normalization: MERGE_SLASHES}")).diagnostics
    assert (finding.severity, finding.path) == ("info", "data.mesh")
    assert "mirror_path_normalization" in finding.message


def test_the_first_of_several_is_used(make: Make) -> None:
    one, two = config_map("defaultServiceExportTo: ['.']"), config_map("{}", namespace="other")
    found = applied(one, two, make("ServiceEntry", ENTRY, namespace="shop"))
    assert seen_by(found, "ServiceEntry") == [frozenset({"shop"})]
    assert [(item.line, item.message) for item in found.diagnostics] == [
        (9, "is another configuration of the mesh; that of f.yaml:1 is used")
    ]


def test_other_config_maps_are_skipped() -> None:
    parsed = parse_sources([Source("f.yaml", config_map("a", name="other").encode())])
    assert (parsed.resources, parsed.skipped, parsed.diagnostics) == ((), {"ConfigMap": 1}, ())
