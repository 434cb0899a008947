from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.api.requests import decision_document
from mirror_addon.api.requests import read_lines
from mirror_addon.api.requests import read_request
from mirror_addon.captures.urls import RequestError
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.rules.rule_set import load_rule_set

RULES = Path(__file__).resolve().parents[2] / "rules"
OWN = b"10.0.0.1"


def test_defaults() -> None:
    request, draw = read_request({"url": "http://a/b?c"})
    assert (request.method, request.scheme, request.authority, request.path) == (b"GET", b"http", b"a", b"/b?c")
    assert (request.headers, request.port, request.client, draw) == ((), 80, b"", 0)


def test_everything() -> None:
    headers = [["X-A", "\udcff"], ["HOST", "b"], ["x-a", "é"]]
    request, draw = read_request(
        {"method": "put", "url": "https://a:1/", "headers": headers, "port": 7, "draw": 2**64 - 1, "client": "::1"}
    )
    assert (request.method, request.authority, request.port, request.client) == (b"put", b"b", 7, b"::1")
    assert request.headers == ((b"X-A", b"\xff"), (b"x-a", b"\xc3\xa9"))
    assert draw == 2**64 - 1


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://a:8080/", 8080),
        ("https://a/", 443),
        ("http://[::1]/", 80),
        ("http://[::1]:81/", 81),
        ("http://::1/", 80),
        ("http://a:/", 80),
        ("http://ä_1.test/", 80),
    ],
)
def test_ports(url: str, port: int) -> None:
    assert read_request({"url": url})[0].port == port


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object"),
        ({"url": "http://a/", "x": 1}, "unknown key 'x'"),
        ({}, "url: must be text"),
        ({"url": "http://a:0/"}, "url: 0 is not a port"),
        ({"url": "http://a:b/"}, "url: 'b' is not a port"),
        ({"url": "http://[::1]:b/"}, "url: 'b' is not a port"),
        ({"url": "http://[::1/"}, r"url: '\[::1' is no host; an IPv6 address is written"),
        ({"url": "http://::1]/"}, "url: '::1]' is no host"),
        ({"url": "http://a b/"}, "url: 'a b' is no host"),
        ({"url": "http://a\x01/"}, "is no host"),
        (
            {"url": "http://me:secret@a/"},
            "url: leave out 'me:secret@'; clients send it as the header field Authorization",
        ),
        ({"url": "http://a/", "method": "G ET"}, "method: 'G ET' is no method, such as GET"),
        ({"url": "http://a/", "client": 1}, "client: must be an IP address"),
        ({"url": "http://a/", "method": 1}, "method: must be text"),
        ({"url": "http://a/", "headers": [["a", 1]]}, "headers: must be a list"),
        ({"url": "http://a/", "port": 65536}, "port: must be a whole number, 1 to 65535"),
        ({"url": "http://a/", "draw": 1.5}, "draw: must be a whole number"),
    ],
)
def test_what_is_no_request(document: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_request(document)


def test_lines() -> None:
    assert list(read_lines(["1\n", "\n", " []"], "a")) == [(1, 1), (3, [])]
    lines = read_lines(["1\n", "{\n"], "a.jsonl")
    assert next(lines) == (1, 1)
    with pytest.raises(RequestError, match=r"a\.jsonl:2: not JSON"):
        next(lines)


def documents(tmp_path: Path, annotations: str, url: str, now: float | None) -> dict[str, Any]:
    for file in RULES.iterdir():
        text = file.read_text().replace("name: serviceB\n", f"name: serviceB\n  annotations: {{{annotations}}}\n", 1)
        (tmp_path / file.name).write_text(text if file.name == "virtual-service.yaml" else file.read_text())
    settings = read_settings([str(tmp_path)], [])
    table = load_rule_set(settings, OWN).table
    request, draw = read_request({"url": url})
    found = decision_document(table.route(request, draw), ["why"], settings, OWN, now)
    assert json.loads(json.dumps(found)) == found
    return found


def test_annotations_depend_on_the_time_where_it_is_given(tmp_path: Path) -> None:
    expired = "mirror-addon/expires: '2020-01-01T00:00:00Z'"
    url = "http://istio.gateway.xxxx.tech/serviceB"
    for now, skipped in ((None, None), (0.0, None), (2e9, "expired")):
        (mirror,) = documents(tmp_path, expired, url, now)["mirrors"]
        assert (mirror["skipped"], mirror["sampled"]) == (skipped, True)


def test_a_local_reply_has_a_response_and_no_request(tmp_path: Path) -> None:
    found = documents(tmp_path, "", "http://istio.gateway.xxxx.tech/none", None)
    assert (found["action"], found["request"], found["destination"]) == ("not_found", None, None)
    assert found["trace"] == ["why"]
    assert found["response"]["status"] == 404
