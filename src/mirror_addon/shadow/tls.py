"""A worker's TLS contexts: one for all lanes with the same settings. Making one takes 26 ms and 1 MiB."""

from __future__ import annotations

import functools
import ipaddress
import ssl
from typing import Any

from mirror_addon.inputs.opening import check_input
from mirror_addon.shadow.request import ClientTLS


@functools.lru_cache(maxsize=64)
def context(tls: ClientTLS) -> ssl.SSLContext:
    """The context for these settings. Without CA certificates those of the operating system are trusted, as in Istio.

    Raises OSError with the name of the file that cannot be read or is not a certificate, or with what is wrong in the
    certificates of a BackendTLSPolicy.
    """
    made = _trusting(tls) if tls.ca_certificates or tls.ca_pem else ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (tls.ca_certificates or tls.ca_pem) and paths.cafile is None and paths.capath is None:
        import certifi  # a dependency of httpx, needed only by a Python that was built without a system store

        made.load_verify_locations(certifi.where())
    if tls.client_certificate:
        try:
            check_input(tls.client_certificate, tls.private_key)
            made.load_cert_chain(tls.client_certificate, tls.private_key or None)
        except OSError as error:
            files = f"{tls.client_certificate}, {tls.private_key}"
            raise OSError(f"{files}: {error.strerror or error}") from error
    if tls.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.subject_alt_names:
        made.check_hostname = False  # names_match checks the listed names instead
    return made


def _trusting(tls: ClientTLS) -> ssl.SSLContext:
    try:
        if tls.ca_pem:
            return ssl.create_default_context(cadata=tls.ca_pem)
        check_input(tls.ca_certificates)
        return ssl.create_default_context(cafile=tls.ca_certificates)
    except (OSError, TypeError) as error:  # TypeError: text that is not ASCII
        why = error.strerror if isinstance(error, OSError) else None
        raise OSError(f"{tls.ca_certificates or 'the certificates of the policy'}: {why or error}") from error


def names_match(certificate: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Whether the peer's certificate (`SSLObject.getpeercert()`) has one of the `subjectAltNames` of a TLS setting.

    DNS names match as in Envoy (DnsExactStringSanMatcher): `*.` in the certificate stands for one label.
    """
    return any(_matches(kind, value, name) for kind, value in certificate.get("subjectAltName", ()) for name in names)


def _matches(kind: str, value: str, name: str) -> bool:
    if kind == "DNS":
        value, name = value.lower(), name.lower()
        return value == name or (value.startswith("*.") and value[1:] == "." + name.partition(".")[2])
    if kind == "IP Address":
        try:
            return ipaddress.ip_address(value) == ipaddress.ip_address(name)
        except ValueError:
            return False
    return value == name
