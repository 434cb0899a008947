"""A worker's TLS contexts: one for each setting, shared by all lanes (one of its own costs a lane 26 ms and 1 MiB)."""

from __future__ import annotations

import functools
import ipaddress
import ssl
from typing import Any

from mirror_addon.shadow.request import ClientTLS


@functools.lru_cache(maxsize=64)
def context(tls: ClientTLS) -> ssl.SSLContext:
    """The context for these settings. Without CA the operating system's are trusted, as by Istio.

    Raises OSError (with ssl.SSLError) for files that cannot be read or are not certificates.
    """
    made = ssl.create_default_context(cafile=tls.ca_certificates or None)
    paths = ssl.get_default_verify_paths()
    if not tls.ca_certificates and paths.cafile is None and paths.capath is None:
        import certifi  # httpx brings it; a Python that knows no system store is the only one to need it

        made.load_verify_locations(certifi.where())
    if tls.client_certificate:
        made.load_cert_chain(tls.client_certificate, tls.private_key or None)
    if tls.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.subject_alt_names:
        made.check_hostname = False  # the names listed stand in its place, see names_match
    return made


def names_match(certificate: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Has the peer's certificate (`SSLObject.getpeercert()`) one of the `subjectAltNames` of a TLS setting?

    DNS names match as in Envoy (DnsExactStringSanMatcher): a certificate's `*.` stands for one label.
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
