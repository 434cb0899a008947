"""What tests of several parts share."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck
from hypothesis import settings

# Tools that tests of several rooms use.
sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("live", "tools")]
pytest.register_assert_rewrite(
    "livetools",
    "enginetools",
    "pairtools",
    "replaytools",
    "capturetools",
    "collectortools",
    "inittools",
    "messagetools",
    "processortools",
    "http2tools",
    "sandboxtools",
    "assistanttools",
)
pytest_plugins = ["enginetools", "pairtools"]

# The same examples in every run, and no clock: neither luck nor a busy machine decides whether a change may pass.
# `--hypothesis-profile=search` looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")

_LONG = {"live", "worker", "dispatch", "test_addon.py", "flows", "cli", "docs", "processor"}
"""Where files of tests take ten seconds and more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files come first: the last file that one of several processes is given leaves the others idle."""
    items.sort(key=lambda item: _LONG.isdisjoint(item.path.parts))


class Authority:
    """A certificate authority of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._count = 0
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def save_as_mitmproxys(self, folder: Path) -> None:
        """Make it mitmproxy's own authority where `folder` is its `confdir`."""
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "mitmproxy-ca.pem").write_bytes(key + self.path.read_bytes())
        (folder / "mitmproxy-ca-cert.pem").write_bytes(self.path.read_bytes())

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def issue(self, *names: str) -> tuple[Path, Path]:
        """A certificate and its key, for DNS names, IP addresses and URIs."""
        key = ec.generate_private_key(ec.SECP256R1())
        general: list[x509.GeneralName] = []
        for name in names:
            if "://" in name:
                general.append(x509.UniformResourceIdentifier(name))
            elif name[0].isdigit():
                general.append(x509.IPAddress(ipaddress.ip_address(name)))
            else:
                general.append(x509.DNSName(name))
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]), key.public_key())
            .add_extension(x509.SubjectAlternativeName(general), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._count += 1
        certificate_path, key_path = (self._folder / f"{self._count}-{part}.pem" for part in ("cert", "key"))
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_path, key_path

    def server(self, *names: str, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue(*names))
        context.set_alpn_protocols(list(alpn))
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mitmproxy's folder, shared by all tests of a run.

    mitmproxy reads its authority's key twice at each start, and checks it. That takes 0.12 s of processor time for the
    RSA key that it would make itself, and nearly none for one of an elliptic curve.
    """
    folder = tmp_path_factory.mktemp("mitmproxy")
    Authority(folder).save_as_mitmproxys(folder)
    return folder
