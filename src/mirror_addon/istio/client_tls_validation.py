"""ClientTLSSettings: Istio's validation of how a server is spoken to (`ValidateTLS` in agent/validation.go)."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.destination_rule import ClientTLSSettings

_CONFIG_MAP = "configmap://"
_FILES = (
    ("clientCertificate", "client_certificate"),
    ("privateKey", "private_key"),
    ("caCertificates", "ca_certificates"),
    ("caCrl", "ca_crl"),
)


def validate_client_tls(tls: ClientTLSSettings, path: FieldPath, namespace: str, findings: Findings) -> None:
    """Check the TLS settings of an object in `namespace`. Certificates count only in the modes SIMPLE and MUTUAL."""
    if tls.credential_name.startswith(_CONFIG_MAP):
        _validate_config_map(tls.credential_name, path, namespace, findings)
    if tls.insecure_skip_verify:
        _validate_unverified(tls, path, findings)
    if tls.credential_name and tls.mode in ("SIMPLE", "MUTUAL"):
        given = [name for name, field in _FILES if getattr(tls, field)]
        if given:
            findings.error((*path, "credentialName"), f"cannot be combined with {', '.join(given)}; keep one")
    elif tls.mode == "MUTUAL":
        for name, value in (("clientCertificate", tls.client_certificate), ("privateKey", tls.private_key)):
            if not value:
                findings.error(path, f"mode MUTUAL needs {name}; name the file")
    if tls.mode == "ISTIO_MUTUAL":
        findings.info((*path, "mode"), "not emulated: ISTIO_MUTUAL (no mesh certificates here: plain text is sent)")
    if tls.credential_name:
        findings.info((*path, "credentialName"), "not emulated: credentialName (name certificate files instead)")


def _validate_unverified(tls: ClientTLSSettings, path: FieldPath, findings: Findings) -> None:
    refused = [("caCertificates", tls.ca_certificates), ("subjectAltNames", tls.subject_alt_names)]
    if tls.mode == "SIMPLE":
        refused.append(("credentialName", tls.credential_name))
    given = [name for name, value in refused if value]
    if given and tls.mode in ("SIMPLE", "MUTUAL"):
        findings.error((*path, "insecureSkipVerify"), f"cannot be combined with {', '.join(given)}; keep one")


def _validate_config_map(name: str, path: FieldPath, namespace: str, findings: Findings) -> None:
    found, _, rest = name.removeprefix(_CONFIG_MAP).partition("/")
    if not (found and rest.partition("/")[0]):
        findings.error(
            (*path, "credentialName"), f"{name!r:.80} has no namespace or no name; write {_CONFIG_MAP}NS/NAME"
        )
    elif found != namespace:
        findings.error((*path, "credentialName"), f"a ConfigMap must be in the rule's own namespace, {namespace}")
