"""Gateway: the messages of istio/api `networking/v1alpha3/gateway.proto`."""

from __future__ import annotations

from typing import Literal

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import UInt32

TLSProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class GatewayPort(Message):
    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0


class TLSCertificate(Message):
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTLSSettings(Message):
    https_redirect: bool = False
    mode: Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] = (
        "PASSTHROUGH"
    )
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: Items[str] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: Items[TLSCertificate] = ()
    subject_alt_names: Items[str] = ()
    verify_certificate_spki: Items[str] = ()
    verify_certificate_hash: Items[str] = ()
    min_protocol_version: TLSProtocol = "TLS_AUTO"
    max_protocol_version: TLSProtocol = "TLS_AUTO"
    cipher_suites: Items[str] = ()
    ecdh_curves: Items[str] = ()
    insecure_skip_verify: bool | None = None


class GatewayServer(Message):
    port: GatewayPort | None = None
    bind: str = ""
    hosts: Items[str] = ()
    tls: ServerTLSSettings | None = None
    default_endpoint: str = ""
    name: str = ""


class GatewaySpec(Message):
    """A Gateway: the ports and hosts that it serves. Where this proxy listens is said by mitmproxy's options."""

    servers: Items[GatewayServer] = ()
    selector: Map[str] = EMPTY_MAP
