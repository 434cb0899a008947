"""TLS to real servers on 127.0.0.1, with the context and the server name that mitmproxy's hooks get."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from mitmproxy import connection
from mitmproxy import tls as mitm_tls
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons
from mitmproxy.test import tflow
from OpenSSL import SSL

from mirror_addon.flows.upstream_tls import UpstreamTLS
from mirror_addon.flows.upstream_tls import client_context
from mirror_addon.flows.upstream_tls import subject_alt_names
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Endpoint

HOST = "serviceB.default.svc.cluster.local"
AUTHORITY = HOST.encode() + b":8443"


class Server:
    """A TLS server that records the server names and the protocols it was offered."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.names: list[str | None] = []
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self.context = context
        self.port = 0
        self.protocols: list[str | None] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(b"hello")
        await writer.drain()
        writer.close()


class Proxy:
    """The hooks of UpstreamTLS in the order in which mitmproxy calls them."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.hooks = UpstreamTLS()
        self.client = tflow.tclient_conn()
        self.client.alpn_offers = [b"h2", b"http/1.1"]

    def start(self, port: int, address: str = "127.0.0.1") -> mitm_tls.TlsData:
        server = connection.Server(address=(address, port))
        self.hooks.server_connect(ServerConnectionHookData(server, self.client))
        data = mitm_tls.TlsData(server, Context(self.client, self.context.options))
        self.hooks.tls_start_server(data)
        return data

    async def connect(self, port: int) -> bytes:
        """What the server sends once the handshake is done. Raises SSL.Error."""
        ssl_connection = self.start(port).ssl_conn
        assert ssl_connection is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                try:
                    return bytes(ssl_connection.recv(100))
                except SSL.WantReadError:
                    await self._flush(ssl_connection, writer)
                    received = await asyncio.wait_for(reader.read(65536), 30)
                    if not received:
                        ssl_connection.bio_shutdown()
                    else:
                        ssl_connection.bio_write(received)
        finally:
            writer.transport.abort()

    @staticmethod
    async def _flush(ssl_connection: SSL.Connection, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(ssl_connection.bio_read(65536))
        except SSL.WantReadError:
            await writer.drain()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    with taddons.context(Proxyserver(), TlsConfig()) as context:
        yield Proxy(context)


@pytest.fixture
async def serve(mirrors: Any, authority: Any) -> Any:
    async def start(*names: str, alpn: tuple[str, ...] = ("http/1.1",), mutual: bool = False) -> Server:
        made = authority.server(*names, alpn=alpn)
        if mutual:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(str(authority.path))
        server = Server(made)
        server.port = await mirrors.start(server, tls=made)
        return server

    return start


def expect(proxy: Proxy, port: int, tls: TLS, authority: bytes = AUTHORITY) -> None:
    proxy.hooks.expect(proxy.client, Endpoint("127.0.0.1", port), tls, authority)


async def test_a_server_is_verified_and_gets_the_requests_host(proxy: Proxy, serve: Any, authority: Any) -> None:
    server = await serve(HOST, alpn=("h2",))
    expect(proxy, server.port, TLS(ca_certificates=str(authority.path)))
    assert await proxy.connect(server.port) == b"hello"
    assert (server.names, server.protocols) == ([HOST], ["h2"])


@pytest.mark.parametrize(
    ("name", "settings", "accepted"),
    [
        ("other.example", {}, False),
        ("other.example", {"subject_alt_names": ("other.example",)}, True),
        ("spiffe://td/sa/b", {"subject_alt_names": ("x", "spiffe://td/sa/b")}, True),
        ("other.example", {"sni": "other.example"}, True),
        ("other.example", {"insecure_skip_verify": True, "ca_certificates": ""}, True),
        (HOST, {"ca_certificates": ""}, False),
    ],
)
async def test_names_and_authorities(
    proxy: Proxy, serve: Any, authority: Any, name: str, settings: dict[str, Any], accepted: bool
) -> None:
    server = await serve(name)
    expect(proxy, server.port, TLS(**{"ca_certificates": str(authority.path)} | settings))
    if accepted:
        assert await proxy.connect(server.port) == b"hello"
        assert server.names == [settings.get("sni", HOST)]
    else:
        with pytest.raises(SSL.Error):
            await proxy.connect(server.port)


async def test_mitmproxys_ssl_insecure_holds_here_too(proxy: Proxy, serve: Any) -> None:
    server = await serve("other.example")
    proxy.context.options.ssl_insecure = True
    expect(proxy, server.port, TLS())
    assert await proxy.connect(server.port) == b"hello"


async def test_mutual_tls(proxy: Proxy, serve: Any, authority: Any) -> None:
    server = await serve(HOST, mutual=True)
    certificate, key = (str(path) for path in authority.issue("client"))
    expect(
        proxy, server.port, TLS(ca_certificates=str(authority.path), client_certificate=certificate, private_key=key)
    )
    assert await proxy.connect(server.port) == b"hello"
    expect(proxy, server.port, TLS(ca_certificates=str(authority.path)))
    with pytest.raises(SSL.Error):
        await proxy.connect(server.port)


@pytest.mark.parametrize(
    ("authority", "sni"),
    [(b"a.test", "a.test"), (b"a.test:1", "a.test"), (b"[::1]:1", "::1"), (b"[::1]", "::1")],
)
async def test_the_server_name_is_the_host_without_port(proxy: Proxy, authority: bytes, sni: str) -> None:
    expect(proxy, 9, TLS(), authority)
    data = proxy.start(9)
    assert isinstance(data.conn, connection.Server)
    assert data.conn.sni == sni
    assert data.ssl_conn is not None
    assert data.ssl_conn.get_servername() == (None if ":" in sni else sni.encode())


async def test_other_connections_are_left_to_mitmproxy(proxy: Proxy) -> None:
    expect(proxy, 9, TLS())
    for data in (proxy.start(8), proxy.start(9, "127.0.0.2")):
        assert isinstance(data.conn, connection.Server)
        assert (data.ssl_conn, data.conn.sni) == (None, None)
    unknown = connection.Server(address=None)
    proxy.hooks.server_connect(ServerConnectionHookData(unknown, proxy.client))
    assert unknown.sni is None
    to_client = mitm_tls.TlsData(proxy.client, Context(proxy.client, proxy.context.options))
    proxy.hooks.tls_start_server(to_client)
    assert to_client.ssl_conn is None
    other = tflow.tclient_conn()
    again = mitm_tls.TlsData(connection.Server(address=("127.0.0.1", 9)), Context(other, proxy.context.options))
    proxy.hooks.tls_start_server(again)
    assert again.ssl_conn is None


async def test_protocols_that_were_chosen_already_stay(proxy: Proxy) -> None:
    """mitmproxy sets them if its own `upstream_cert` or another addon has decided."""
    expect(proxy, 9, TLS())
    for offers, http2, offered in (
        ([b"http/1.1"], True, [b"http/1.1"]),
        ([], True, [b"h2", b"http/1.1"]),
        ([], False, [b"http/1.1"]),
    ):
        proxy.context.options.http2 = http2
        server = connection.Server(address=("127.0.0.1", 9))
        server.alpn_offers = offers
        proxy.hooks.tls_start_server(mitm_tls.TlsData(server, Context(proxy.client, proxy.context.options)))
        assert list(server.alpn_offers) == offered
    proxy.client.alpn_offers = []
    assert proxy.start(9).ssl_conn is not None


@pytest.mark.parametrize("name", ["absent.pem", "pipe"])
async def test_files_that_cannot_be_used_are_logged(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    caplog.set_level(logging.WARNING)
    expect(proxy, 9, TLS(ca_certificates=str(tmp_path / name)))
    assert proxy.start(9).ssl_conn is None, "left to mitmproxy, which verifies"
    assert "mirror: TLS files for ('127.0.0.1', 9) cannot be used" in caplog.text
    assert name in caplog.text


def test_equal_settings_share_a_context(authority: Any) -> None:
    made = client_context(TLS(ca_certificates=str(authority.path)), ("a",), False)
    assert client_context(TLS(ca_certificates=str(authority.path)), ("a",), False) is made
    assert client_context(TLS(ca_certificates=str(authority.path)), ("b",), False) is not made


def test_all_kinds_of_names_of_a_certificate(authority: Any) -> None:
    certificate, _ = authority.issue("a.test", "127.0.0.1", "spiffe://td/sa/b")
    assert subject_alt_names(x509.load_pem_x509_certificate(certificate.read_bytes())) == {
        "subjectAltName": [("DNS", "a.test"), ("IP Address", "127.0.0.1"), ("URI", "spiffe://td/sa/b")]
    }
    assert subject_alt_names(x509.load_pem_x509_certificate(authority.path.read_bytes())) == {}


async def test_certificates_without_a_file(
    proxy: Proxy, serve: Any, authority: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(HOST)
    expect(proxy, server.port, TLS(ca_pem=authority.path.read_text()))
    assert await proxy.connect(server.port) == b"hello"
    expect(proxy, 9, TLS(ca_pem="none of them"))
    assert proxy.start(9).ssl_conn is None
    assert "cannot be used" in caplog.text and "none of them" not in caplog.text
