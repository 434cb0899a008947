"""Validation of TLS settings, a row for each combination."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FILES = "clientCertificate: /c, privateKey: /k"


@pytest.mark.parametrize(
    ("tls", "paths"),
    [
        ("mode: SIMPLE, credentialName: c, insecureSkipVerify: true", ["insecureSkipVerify"]),
        ("mode: SIMPLE, caCertificates: /ca, insecureSkipVerify: true", ["insecureSkipVerify"]),
        ("mode: SIMPLE, subjectAltNames: [a], insecureSkipVerify: true", ["insecureSkipVerify"]),
        ("mode: SIMPLE, credentialName: c, insecureSkipVerify: false", []),
        ("mode: SIMPLE, insecureSkipVerify: true", []),
        ("mode: MUTUAL, credentialName: c, insecureSkipVerify: true", []),
        (f"mode: MUTUAL, {FILES}, caCertificates: /ca, insecureSkipVerify: true", ["insecureSkipVerify"]),
        (f"mode: MUTUAL, {FILES}, subjectAltNames: [a], insecureSkipVerify: true", ["insecureSkipVerify"]),
        ("mode: DISABLE, caCertificates: /ca, insecureSkipVerify: true", []),
        ("mode: ISTIO_MUTUAL, subjectAltNames: [a], insecureSkipVerify: true", []),
        ("mode: SIMPLE, credentialName: c, caCertificates: /ca", ["credentialName"]),
        ("mode: SIMPLE, credentialName: c, caCrl: /crl", ["credentialName"]),
        ("mode: SIMPLE, credentialName: c, clientCertificate: /c", ["credentialName"]),
        ("mode: MUTUAL, credentialName: c, privateKey: /k", ["credentialName"]),
        ("mode: DISABLE, credentialName: c, caCertificates: /ca", []),
        ("mode: ISTIO_MUTUAL, credentialName: c, caCertificates: /ca, clientCertificate: /c", []),
        ("mode: MUTUAL, credentialName: c", []),
        ("mode: MUTUAL", ["", ""]),
        ("mode: MUTUAL, clientCertificate: /c", [""]),
        (f"mode: MUTUAL, {FILES}", []),
        (f"mode: MUTUAL, {FILES}, caCrl: /crl", []),
        ("mode: SIMPLE, credentialName: 'configmap://default/ca'", []),
        ("mode: SIMPLE, credentialName: 'configmap://other/ca'", ["credentialName"]),
        ("mode: SIMPLE, credentialName: 'configmap://ca'", ["credentialName"]),
        ("mode: SIMPLE, credentialName: 'configmap://default/'", ["credentialName"]),
        ("mode: DISABLE, credentialName: 'configmap:///ca'", ["credentialName"]),
        ("mode: SIMPLE, credentialName: 'kubernetes://other/ca'", []),
    ],
)
@pytest.mark.parametrize("place", ["trafficPolicy: {}", "subsets: [{{name: a, trafficPolicy: {}}}]"])
def test_combinations(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    place: str,
    tls: str,
    paths: list[str],
) -> None:
    found = briefs(make("DestinationRule", f"host: a.b\n{place.format(f'{{tls: {{{tls}}}}}')}"))
    errors = [path for severity, _, path in found if severity == "error"]
    assert [path.partition(".tls")[2].lstrip(".") for path in errors] == paths
