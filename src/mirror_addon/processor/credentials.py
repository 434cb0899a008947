"""The processor's certificate, and that of those who may call it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from mirror_addon.inputs.opening import check_input
from mirror_addon.inputs.opening import read_input

MAX_BYTES = 1024 * 1024
"""Of a file in PEM."""


class CredentialsError(ValueError):
    """A file that cannot be used; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The contents of the files, PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    """Clients must have a certificate of this authority; None: any client may call."""


def read_credentials(certificate: str, key: str, client_ca: str) -> Credentials | None:
    """Return the credentials of these files; None where no file is named. Raises CredentialsError."""
    if not (certificate or key or client_ca):
        return None
    if not (certificate and key):
        raise CredentialsError("TLS needs --tls-certificate and --tls-key, both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        check_input(certificate, key)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsError(f"{certificate}, {key}: {error}; name a certificate and its key in PEM") from None
    if client_ca:
        try:
            check_input(client_ca)
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise CredentialsError(f"{client_ca}: {error}; name a file of certificates in PEM") from None
    return Credentials(
        read_input(certificate, MAX_BYTES),
        read_input(key, MAX_BYTES),
        read_input(client_ca, MAX_BYTES) if client_ca else None,
    )
