"""TLS from the proxy to a routed destination, as its DestinationRule requires it (Istio's ClientTLSSettings).

mitmproxy has one set of TLS options for all servers. A DestinationRule gives each destination its own CA, names and
client certificate, so the connection is set up here.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography import x509
from mitmproxy import connection
from mitmproxy import ctx
from mitmproxy import tls as mitm_tls
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from OpenSSL import SSL
from OpenSSL.crypto import X509

from mirror_addon.inputs.opening import check_input
from mirror_addon.shadow.tls import names_match

if TYPE_CHECKING:
    from mirror_addon.routing.clusters import TLS
    from mirror_addon.routing.clusters import Endpoint

logger = logging.getLogger(__name__)


def subject_alt_names(certificate: x509.Certificate) -> dict[str, list[tuple[str, str]]]:
    """Return the names of a certificate in the form of `ssl.SSLSocket.getpeercert()`."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}
    found = [("DNS", name) for name in names.get_values_for_type(x509.DNSName)]
    found += [("IP Address", str(address)) for address in names.get_values_for_type(x509.IPAddress)]
    found += [("URI", uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    return {"subjectAltName": found}


def _verifier(names: tuple[str, ...]) -> Callable[[SSL.Connection, X509, int, int, int], bool]:
    def verify(_connection: SSL.Connection, certificate: X509, _error: int, depth: int, chain_is_good: int) -> bool:
        if depth > 0 or not chain_is_good:
            return bool(chain_is_good)
        return names_match(subject_alt_names(certificate.to_cryptography()), names)

    return verify


def trust(context: SSL.Context, pem: str) -> None:
    """Accept servers whose certificates are signed with these. Raises OSError for a text without certificates."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise OSError(f"the certificates of the policy: {error}") from error
    store = context.get_cert_store()
    assert store is not None
    for certificate in certificates:
        store.add_cert(X509.from_cryptography(certificate))


@functools.lru_cache(maxsize=64)
def client_context(tls: TLS, names: tuple[str, ...], insecure: bool) -> SSL.Context:
    """Return an OpenSSL context that accepts servers with one of `names`. Raises SSL.Error if a file cannot be used."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    if insecure:
        context.set_verify(SSL.VERIFY_NONE)
    else:
        if tls.ca_pem:
            trust(context, tls.ca_pem)
        elif tls.ca_certificates:
            check_input(tls.ca_certificates)
            context.load_verify_locations(tls.ca_certificates)
        else:
            context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER, _verifier(names))
    check_input(tls.client_certificate, tls.private_key)
    if tls.client_certificate:
        context.use_certificate_chain_file(tls.client_certificate)
        context.use_privatekey_file(tls.private_key)
        context.check_privatekey()
    return context


class UpstreamTLS:
    """Remembers which connection of which client goes to which destination with TLS, and sets that connection up."""

    def __init__(self) -> None:
        self._expected: weakref.WeakKeyDictionary[connection.Client, dict[tuple[str, int], tuple[TLS, str]]] = (
            weakref.WeakKeyDictionary()
        )

    def expect(self, client: connection.Client, endpoint: Endpoint, tls: TLS, authority: bytes) -> None:
        """From now on, connections of `client` to `endpoint` are for a destination with these settings. If they have no
        `sni`, the host of the request's authority is sent (Istio: `sni` unset)."""
        host = authority.rpartition(b":")[0] if not authority.endswith(b"]") and b":" in authority else authority
        sni = tls.sni or host.strip(b"[]").decode("latin-1")
        self._expected.setdefault(client, {})[endpoint.address, endpoint.port] = (tls, sni)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """mitmproxy's hook: set the server name."""
        if data.server.address and (found := self._find(data.client, data.server)):
            data.server.sni = found[1]

    def tls_start_server(self, data: mitm_tls.TlsData) -> None:
        """mitmproxy's hook: set up the TLS connection."""
        server = data.conn
        if not isinstance(server, connection.Server) or not (found := self._find(data.context.client, server)):
            return
        tls, sni = found
        try:
            context = client_context(
                tls, tls.subject_alt_names or (sni,), tls.insecure_skip_verify or ctx.options.ssl_insecure
            )
        except (SSL.Error, OSError) as error:
            # mitmproxy's own settings apply. They verify the server: the client gets a 502, not an unverified response.
            logger.warning("mirror: TLS files for %s cannot be used: %s %s", server.address, tls, error)
            return
        ssl = SSL.Connection(context)
        try:
            ipaddress.ip_address(sni)
        except ValueError:
            ssl.set_tlsext_host_name(sni.encode("idna"))
        if not server.alpn_offers:
            offers = data.context.client.alpn_offers
            server.alpn_offers = [offer for offer in offers if ctx.options.http2 or offer != b"h2"]
        if server.alpn_offers:
            ssl.set_alpn_protos(list(server.alpn_offers))
        ssl.set_connect_state()
        data.ssl_conn = ssl

    def _find(self, client: connection.Client, server: connection.Server) -> tuple[TLS, str] | None:
        expected = self._expected.get(client)
        return expected.get((server.address[0], server.address[1])) if expected and server.address else None
