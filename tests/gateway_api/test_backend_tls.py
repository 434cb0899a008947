"""BackendTLSPolicies: which TLS settings a host gets, and what is wrong with their targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.backend_tls import BackendTLSPolicies

Make = Callable[..., str]
PORTS = "ports: [{name: https, port: 443}, {name: admin, port: 9443}]"
HOST = "a.demo.svc.cluster.local"


def policy(make: Make, validation: str, targets: str = "[{group: '', kind: Service, name: a}]", **where: Any) -> str:
    return make(
        "BackendTLSPolicy", f"{{targetRefs: {targets}, validation: {{hostname: tls.test, {validation}}}}}", **where
    )


def target(section: str = "", name: str = "a", kind: str = "Service", group: str = "''") -> str:
    more = f", sectionName: {section}" if section else ""
    return f"[{{group: {group}, kind: {kind}, name: {name}{more}}}]"


SYSTEM = "wellKnownCACertificates: System"


@pytest.fixture(scope="module")
def service(make: Make) -> str:
    return make("Service", f"{{{PORTS}}}", name="a")


def rules(resources: Any, *texts: str) -> Any:
    return BackendTLSPolicies(resources(*texts)).destination_rules()


def test_a_whole_service(make: Make, resources: Any, service: str) -> None:
    (rule,) = rules(resources, service, policy(make, SYSTEM))
    tls = rule.spec.traffic_policy.tls
    assert (rule.spec.host, rule.namespace) == (HOST, "demo")
    assert (tls.mode, tls.sni, tls.subject_alt_names) == ("SIMPLE", "tls.test", ("tls.test",))


def test_a_service_that_is_not_there(make: Make, resources: Any) -> None:
    (rule,) = rules(resources, policy(make, SYSTEM))
    assert rule.spec.host == HOST


def test_other_names_of_the_certificate(make: Make, resources: Any, service: str) -> None:
    names = "[{type: Hostname, hostname: b.test}, {type: URI, uri: 'spiffe://x'}]"
    (rule,) = rules(resources, service, policy(make, f"{SYSTEM}, subjectAltNames: {names}"))
    tls = rule.spec.traffic_policy.tls
    assert (tls.sni, tls.subject_alt_names) == ("tls.test", ("b.test", "spiffe://x"))


def test_one_port_and_all_others(make: Make, resources: Any, service: str) -> None:
    texts = [
        policy(make, SYSTEM, target("https"), name="port"),
        policy(make, SYSTEM, target("gone"), name="unknown"),
        policy(make, f"{SYSTEM}, subjectAltNames: [{{type: Hostname, hostname: o.test}}]", name="whole"),
        policy(make, SYSTEM, name="younger", creationTimestamp="2026-01-01T00:00:00Z"),
    ]
    (rule,) = rules(resources, service, *texts)
    settings = rule.spec.traffic_policy
    assert [(each.port.number, each.tls.sni) for each in settings.port_level_settings] == [(443, "tls.test")]
    assert settings.tls.subject_alt_names == ("o.test",)


def test_service_entries(make: Make, resources: Any) -> None:
    entry = "{hosts: [x.test, y.test], resolution: DNS, ports: [{number: 443, name: https, protocol: HTTPS}]}"
    text = policy(make, SYSTEM, target("https", "e", "ServiceEntry", "networking.istio.io"))
    found = rules(resources, make("ServiceEntry", entry, name="e"), text)
    assert [rule.spec.host for rule in found] == ["x.test", "y.test"]
    assert [rule.spec.traffic_policy.port_level_settings[0].port.number for rule in found] == [443, 443]
    assert rules(resources, text) == []


@pytest.mark.parametrize("text", ["{group: x.io, kind: Backend, name: a}", "{group: '', kind: Pod, name: a}"])
def test_other_kinds_have_no_rule(text: str, make: Make, resources: Any) -> None:
    assert rules(resources, policy(make, SYSTEM, f"[{text}]")) == []


def test_a_policy_without_validation(make: Make, parse: Any) -> None:
    parsed = parse(make("BackendTLSPolicy", f"{{targetRefs: {target()}}}"))
    assert BackendTLSPolicies(parsed.resources).destination_rules() == []


@pytest.mark.parametrize(
    ("validation", "targets", "found"),
    [
        (SYSTEM, target(), []),
        (SYSTEM, target("https"), []),
        (SYSTEM, target("x"), [("error", "BackendNotFound", "spec.targetRefs[0].sectionName")]),
        (SYSTEM, target(name="b"), [("warning", "BackendNotFound", "spec.targetRefs[0].name")]),
        (SYSTEM, target(kind="Pod"), [("warning", "UnsupportedValue", "spec.targetRefs[0].kind")]),
    ],
)
def test_findings(validation: str, targets: str, found: Any, make: Make, briefs: Any, service: str) -> None:
    assert briefs(service, policy(make, validation, targets)) == found


def test_the_older_of_two_is_used(make: Make, briefs: Any, service: str) -> None:
    texts = [
        policy(make, SYSTEM, name="one"),
        policy(make, SYSTEM, name="two"),
        policy(make, SYSTEM, namespace="other"),
    ]
    found = briefs(service, *texts)
    assert found == [
        ("warning", "Conflicted", "spec.targetRefs[0]"),
        ("warning", "BackendNotFound", "spec.targetRefs[0].name"),
    ]


PEM = "-----BEGIN CERTIFICATE-----\\nMAA=\\n-----END CERTIFICATE-----\\n"
"""As in a text of JSON."""
CA = "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"


def config_map(text: str, name: str = "ca", namespace: str = "demo") -> str:
    head = f'"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}", "namespace": "{namespace}"}}'
    return f'{{{head}, "data": {{"ca.crt": "{text}"}}}}'


def ca_pem(resources: Any, *texts: str) -> str:
    (rule,) = rules(resources, *texts)
    pem: str = rule.spec.traffic_policy.tls.ca_pem
    return pem


def test_certificates_of_config_maps(make: Make, resources: Any, service: str) -> None:
    asked = policy(make, CA)
    pem = PEM.replace("\\n", "\n").strip()
    assert ca_pem(resources, service, asked, config_map(f"# Ünser\\n{PEM}")) == pem
    both = policy(
        make, "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}, {group: '', kind: ConfigMap, name: b}]"
    )
    assert ca_pem(resources, service, both, config_map(PEM), config_map("x", "b")) == f"{pem}\nno certificate"
    # One that is not in the files may be on the cluster: the system's.
    assert ca_pem(resources, service, asked, config_map(PEM, namespace="other")) == ""
    assert ca_pem(resources, service, policy(make, SYSTEM), config_map(PEM)) == ""
    # One that has no certificate fails all connections.
    assert ca_pem(resources, service, asked, config_map("")) == "no certificate"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PEM, []),
        (PEM * 2, []),
        (None, [("warning", "InvalidCACertificateRef", "spec.validation.caCertificateRefs[0].name")]),
        ("", [("error", "InvalidCACertificateRef", "spec.validation.caCertificateRefs[0].name")]),
        ("x", [("error", "InvalidCACertificateRef", "spec.validation.caCertificateRefs[0].name")]),
        (PEM.replace("MAA=", "M"), [("error", "InvalidCACertificateRef", "spec.validation.caCertificateRefs[0].name")]),
    ],
)
def test_findings_about_config_maps(text: str | None, found: Any, make: Make, briefs: Any, service: str) -> None:
    assert briefs(service, policy(make, CA), *([] if text is None else [config_map(text)])) == found


def test_secrets_are_not_read(make: Make, briefs: Any, service: str) -> None:
    secret = policy(make, "caCertificateRefs: [{group: '', kind: Secret, name: ca}]")
    assert briefs(service, secret) == [("warning", "InvalidKind", "spec.validation.caCertificateRefs[0].kind")]
