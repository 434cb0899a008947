"""ServerTLSSettings by themselves; in a Gateway, they are tested in `test_gateway_validation`."""

from __future__ import annotations

from mirror_addon.istio.composing import compose
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.gateway import ServerTLSSettings
from mirror_addon.istio.server_tls_validation import validate_server_tls


def test_a_message_says_what_to_do() -> None:
    findings = Findings(compose("f", b"{}")[0][0].document)
    validate_server_tls(ServerTLSSettings(mode="SIMPLE", private_key="/k"), (), findings)
    assert [item.message for item in findings.diagnostics] == ["mode SIMPLE needs serverCertificate, or credentialName"]
