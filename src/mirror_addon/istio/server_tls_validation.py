"""ServerTLSSettings: Istio's validation of how a gateway speaks TLS to clients (`validateTLSOptions`)."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.gateway import ServerTLSSettings

_CIPHERS = frozenset(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    ]
)
_CERTIFICATES = (
    ("serverCertificate", "server_certificate"),
    ("privateKey", "private_key"),
    ("caCertificates", "ca_certificates"),
    ("tlsCertificates", "tls_certificates"),
    ("credentialName", "credential_name"),
    ("credentialNames", "credential_names"),
)
_MOST_CERTIFICATES = 2


def validate_server_tls(tls: ServerTLSSettings, path: FieldPath, findings: Findings) -> None:
    if tls.min_protocol_version in ("TLSV1_0", "TLSV1_1") and not tls.cipher_suites:
        findings.warning(
            (*path, "minProtocolVersion"), "is below TLS 1.2, which no default cipher suite supports; set cipherSuites"
        )
    _validate_ciphers(tls, path, findings)
    given = [name for name, field in _CERTIFICATES if getattr(tls, field)]
    if tls.mode == "ISTIO_MUTUAL":
        for name in given:
            findings.error((*path, name), "mode ISTIO_MUTUAL uses the mesh's certificates; remove it")
        return
    if tls.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH") and (given or tls.ca_crl):
        findings.warning(path, f"mode {tls.mode} uses no certificates; remove {', '.join(given or ['caCrl'])}")
    sources = {
        "serverCertificate": tls.server_certificate and tls.private_key,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "tlsCertificates": tls.tls_certificates,
    }
    several = [name for name, value in sources.items() if value]
    if len(several) > 1:
        findings.error(path, f"only one of {', '.join(several)} may be set; keep one")
    if tls.mode in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"):
        if tls.credential_name or tls.credential_names:
            return
        _validate_files(tls, path, findings)
    if tls.ca_crl and tls.credential_name:
        findings.error((*path, "caCrl"), "stands in the secret of credentialName; remove it")
    if tls.ca_crl and tls.mode == "SIMPLE":
        findings.error((*path, "caCrl"), "is for certificates of clients, which mode SIMPLE does not ask for")


def _validate_files(tls: ServerTLSSettings, path: FieldPath, findings: Findings) -> None:
    if tls.mode != "SIMPLE" and not tls.ca_certificates:
        findings.error(path, f"mode {tls.mode} needs caCertificates, to verify clients")
    if len(tls.tls_certificates) > _MOST_CERTIFICATES:
        findings.warning((*path, "tlsCertificates"), f"Istio uses at most {_MOST_CERTIFICATES}")
    pairs = [
        ((*path, "tlsCertificates", index), item.server_certificate, item.private_key)
        for index, item in enumerate(tls.tls_certificates)
    ] or [(path, tls.server_certificate, tls.private_key)]
    for here, certificate, key in pairs:
        for name, value in (("serverCertificate", certificate), ("privateKey", key)):
            if not value:
                findings.error(here, f"mode {tls.mode} needs {name}, or credentialName")


def _validate_ciphers(tls: ServerTLSSettings, path: FieldPath, findings: Findings) -> None:
    seen: set[str] = set()
    for index, suite in enumerate(tls.cipher_suites):
        here = (*path, "cipherSuites", index)
        if suite not in _CIPHERS and suite not in ("", "ALL") and suite[0].isalnum():
            findings.warning(here, f"{suite!r:.80} is no cipher suite of Envoy; it is ignored")
        elif suite in seen:
            findings.warning(here, f"{suite!r:.80} is repeated; remove one")
        seen.add(suite)
