from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.routing.clusters import TLS
from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.tls import context
from mirror_addon.shadow.tls import names_match

HOST = "serviceB.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("kind", "value", "name", "matches"),
    [
        ("DNS", "a.example", "a.example", True),
        ("DNS", "A.Example", "a.example", True),
        ("DNS", "*.example", "a.example", True),
        ("DNS", "*.example", "a.b.example", False),
        ("DNS", "*.example", "example", False),
        ("DNS", "a.example", "b.example", False),
        ("URI", "spiffe://td/ns/x/sa/y", "spiffe://td/ns/x/sa/y", True),
        ("URI", "spiffe://td/ns/x/sa/y", "spiffe://td/ns/x/sa/z", False),
        ("IP Address", "0:0:0:0:0:0:0:1", "::1", True),
        ("IP Address", "127.0.0.1", "127.0.0.2", False),
        ("IP Address", "127.0.0.1", "a.example", False),
    ],
)
def test_names(kind: str, value: str, name: str, matches: bool) -> None:
    assert names_match({"subjectAltName": ((kind, value),)}, ("other", name)) is matches


def test_a_certificate_without_names_matches_none() -> None:
    assert not names_match({}, ("a",))


def test_equal_settings_share_a_context(authority: Any) -> None:
    settings = ClientTLS(str(authority.path), "", "", (), False)
    assert context(settings) is context(ClientTLS(str(authority.path), "", "", (), False))


def test_without_ca_the_systems_are_trusted() -> None:
    made = context(ClientTLS("", "", "", (), False))
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname


def test_without_a_system_store_certifi_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ssl.DefaultVerifyPaths(None, None, "", "", "", "")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert context(ClientTLS("", "", "", ("certifi",), False)).cert_store_stats()["x509_ca"] > 50


async def server(mirrors: Any, authority: Any, *names: str, **how: Any) -> tuple[int, list[str | None]]:
    """A TLS mirror with a certificate for these names; its port and the SNIs it saw."""
    seen: list[str | None] = []
    made = authority.server(*names)
    made.sni_callback = lambda _sock, name, _context: seen.append(name)
    for name, value in how.items():
        setattr(made, name, value)
    return await mirrors.answering(tls=made), seen


async def test_the_server_name_is_never_the_suffixed_host(mirrors: Any, engine: Any, authority: Any) -> None:
    port, seen = await server(mirrors, authority, HOST)
    made = engine()
    result = await made.one(port, tls=TLS(ca_certificates=str(authority.path)))
    assert result.outcome == "sent", result
    assert seen == [HOST]
    assert b"Host: svc.example.com-shadow" in mirrors.received[0].fields
    assert (await made.one(port, tls=TLS(ca_certificates=str(authority.path)))).connect_ms is None


async def test_the_settings_sni_wins(mirrors: Any, engine: Any, authority: Any) -> None:
    port, seen = await server(mirrors, authority, "sni.example")
    result = await engine().one(port, tls=TLS(sni="sni.example", ca_certificates=str(authority.path)))
    assert (result.outcome, seen) == ("sent", ["sni.example"])


CERTIFICATES: list[tuple[str, dict[str, Any], str]] = [
    ("other.example", {}, "failed"),
    ("other.example", {"insecure_skip_verify": True, "ca_certificates": ""}, "sent"),
    ("other.example", {"subject_alt_names": ("other.example",)}, "sent"),
    (HOST, {"subject_alt_names": ("other.example",)}, "failed"),
    ("spiffe://td/sa/b", {"subject_alt_names": ("x", "spiffe://td/sa/b")}, "sent"),
    (HOST, {"ca_certificates": ""}, "failed"),
]


async def test_certificates_are_checked(mirrors: Any, engine: Any, authority: Any) -> None:
    made = engine()
    for name, tls, outcome in CERTIFICATES:
        port, _ = await server(mirrors, authority, name)
        result = await made.one(port, tls=TLS(**{"ca_certificates": str(authority.path)} | tls))
        assert result.outcome == outcome, (name, tls)
        if outcome == "failed":
            assert result.reason == "connect"
            assert "certificate" in result.detail
            assert mirrors.received == []
        mirrors.received.clear()


async def test_mutual_tls(mirrors: Any, engine: Any, authority: Any) -> None:
    made = authority.server(HOST)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(str(authority.path))
    port = await mirrors.answering(tls=made)
    certificate, key = (str(path) for path in authority.issue("client"))
    with_certificate = TLS(ca_certificates=str(authority.path), client_certificate=certificate, private_key=key)
    running = engine()
    assert (await running.one(port, tls=with_certificate)).outcome == "sent"
    assert (await running.one(port, tls=TLS(ca_certificates=str(authority.path)))).outcome == "failed"


async def test_files_that_are_missing_or_wrong_are_said(engine: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    made = engine()
    result = await made.one(1, tls=TLS(ca_certificates=str(tmp_path / "absent.pem")))
    assert (result.reason, "absent.pem" in result.detail) == ("connect", True)
    result = await made.one(1, tls=TLS(insecure_skip_verify=True, client_certificate=str(wrong)))
    assert (result.reason, "wrong.pem" in result.detail) == ("connect", True)
    result = await made.one(1, tls=TLS(ca_certificates=str(wrong)))
    assert (result.reason, "wrong.pem" in result.detail) == ("connect", True)


async def test_a_plain_mirror_is_no_tls_one(mirrors: Any, engine: Any) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    result = await engine().one(await mirrors.start(plain), tls=TLS(insecure_skip_verify=True))
    assert (result.outcome, result.reason) == ("failed", "connect")


async def test_a_handshake_that_hangs_meets_the_deadline(mirrors: Any, engine: Any) -> None:
    result = await engine().one(await mirrors.hanging(), tls=TLS(insecure_skip_verify=True), timeout=0.3)
    assert result.reason == "timeout"


async def test_a_big_body_over_tls(mirrors: Any, engine: Any, authority: Any) -> None:
    port, _ = await server(mirrors, authority, HOST)
    made = engine()
    body = bytes(range(256)) * 12_000
    request = made.request(b"POST", headers=((b"Content-Length", str(len(body)).encode()),))
    assert (await made.one(port, body, request=request, tls=TLS(ca_certificates=str(authority.path)))).outcome == "sent"
    assert mirrors.received[0].body == body


@pytest.mark.parametrize("field", ["ca_certificates", "client_certificate", "private_key"])
def test_special_files_are_refused_at_once(tmp_path: Path, field: str) -> None:
    """OpenSSL would wait for the writer of a named pipe, in the event loop."""
    os.mkfifo(tmp_path / "pipe")
    empty = ClientTLS("", __file__ if field == "private_key" else "", "", (), False)
    with pytest.raises(OSError, match="named pipe"):
        context(empty._replace(**{field: str(tmp_path / "pipe")}))


async def test_certificates_without_a_file(mirrors: Any, engine: Any, authority: Any) -> None:
    port, _ = await server(mirrors, authority, HOST)
    made = engine()
    assert (await made.one(port, tls=TLS(ca_pem=authority.path.read_text()))).outcome == "sent"
    for wrong in ("none", "\xe9"):
        result = await made.one(port, tls=TLS(ca_pem=wrong))
        assert (result.reason, "the certificates of the policy" in result.detail) == ("connect", True)
