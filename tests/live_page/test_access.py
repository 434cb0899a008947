"""Who is served, and whose buttons work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from mirror_addon.live_page.access import host_name
from mirror_addon.live_page.access import is_loopback


def token(client: FlaskClient) -> str:
    found = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]


def pause(client: FlaskClient, headers: dict[str, str] | None = None, **form: str) -> int:
    return client.post("/pause", data={"token": token(client)} | form, headers=headers).status_code


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        *((address, True) for address in ("127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "::1%lo")),
        *((address, False) for address in ("10.0.0.2", "::", "0.0.0.0", "", "fe80::1%eth0", "x")),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("authority", "name"),
    [("LOCALHOST:81", "localhost"), ("[::1]:81", "[::1]"), ("[::1]", "[::1]"), ("a:b", "a:b"), ("", ""), ("a", "a")],
)
def test_host_name(authority: str, name: str) -> None:
    assert host_name(authority) == name


@pytest.mark.parametrize("path", ["/", "/parts", "/metrics", "/api/status.json", "/static/page.css", "/nothing"])
def test_other_machines_see_nothing(client: FlaskClient, path: str) -> None:
    reply = client.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert reply.status_code == 403
    assert "mirror_web_port" in reply.text


@pytest.mark.parametrize(
    "field",
    ["Via", "FORWARDED", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Real-IP", "CF-Connecting-IP"],
)
def test_what_another_proxy_passes_on_sees_nothing(client: FlaskClient, field: str) -> None:
    for value in ("127.0.0.1", ""):
        reply = client.get("/", headers={field: value})
        assert reply.status_code == 403
        assert field.lower() in reply.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8082", "", "mirror-addon.test.", "[::1"]
)
def test_a_rebound_name_sees_nothing(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "host", ["mirror-addon.test", "MIRROR-ADDON.test:80", "localhost:8082", "127.0.0.1:1", "[::1]:9"]
)
def test_own_names(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_the_button_works(client: FlaskClient, source: Any) -> None:
    assert pause(client) == 303
    same = {"Origin": "http://mirror-addon.test", "Sec-Fetch-Site": "same-origin"}
    assert pause(client, same) == 303
    assert source.commands == [("pause",)] * 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://mirror-addon.test.evil.example"},
        {"Origin": "http://mirror-addon.test:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_foreign_pages_cannot_press_it(client: FlaskClient, source: Any, headers: dict[str, str]) -> None:
    assert pause(client, headers) == 403
    assert source.commands == []


@pytest.mark.parametrize("wrong", ["", "x", "é"])
def test_the_token_must_be_right(client: FlaskClient, source: Any, wrong: str) -> None:
    assert pause(client, token=wrong) == 403
    assert client.post("/pause").status_code == 403
    assert source.commands == []


def test_buttons_are_not_links(client: FlaskClient) -> None:
    assert client.get("/pause").status_code == 405


def test_a_large_form_is_refused(client: FlaskClient) -> None:
    assert client.post("/pause", data={"token": "x" * 100_000}).status_code == 413


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing", "/static/page.js"])
def test_headers_that_keep_a_browser_in(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
