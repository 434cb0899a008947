"""The processor's certificate, and that of those who may call it."""

from __future__ import annotations

import ssl

from mirror_addon.inputs.opening import check_input


class CredentialsError(ValueError):
    """A file that cannot be used; the text says which, why, and what to do."""


def read_credentials(certificate: str, key: str, client_ca: str) -> ssl.SSLContext | None:
    """Return the TLS of a server of HTTP/2 with these files; None where no file is named. Raises CredentialsError.

    With an authority, clients must have a certificate of it; else any client may call.
    """
    if not (certificate or key or client_ca):
        return None
    if not (certificate and key):
        raise CredentialsError("TLS needs --tls-certificate and --tls-key, both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])  # RFC 9113 3.2
    try:
        check_input(certificate, key)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsError(f"{certificate}, {key}: {error}; name a certificate and its key in PEM") from None
    if client_ca:
        try:
            check_input(client_ca)
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise CredentialsError(f"{client_ca}: {error}; name a file of certificates in PEM") from None
    return context
