from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from capturetools import dump
from capturetools import exchange
from capturetools import line
from mitmproxy import http

from mirror_addon.captures import comparing
from mirror_addon.captures.comparing import Manner
from mirror_addon.captures.comparing import lines_of
from mirror_addon.captures.pairing import Pairing
from mirror_addon.captures.reading import read_capture
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import Rules

JSON = (b"Content-Type", b"application/json")


def compared(tmp_path: Path, first: bytes, second: bytes, *, any_origin: bool = False, **manner: Any) -> list[Any]:
    (tmp_path / "a").write_bytes(first)
    (tmp_path / "b").write_bytes(second)
    pairs = Pairing(tmp_path / "a", tmp_path / "b", [], any_origin=any_origin)
    return [json.loads(text) for text in lines_of(pairs, Manner("a", "b", **manner))]


def found(lines: list[Any]) -> list[tuple[str, str]]:
    return [(each["path"], each["noise"]) for each in lines[0]["differences"]]


def test_a_line(tmp_path: Path) -> None:
    (line,) = compared(tmp_path, dump(exchange()), dump(exchange(answer=b'{"a": 2}')))
    assert (line["verdict"], line["route"], line["target"], line["endpoint"]) == (
        "different", "a", "b", "GET /orders/{id}",
    )  # fmt: skip
    assert line["differences"][0]["path"] == "$.a"
    assert line["primary"]["ms"] == pytest.approx(250)
    assert "request" not in line


def test_rules(tmp_path: Path) -> None:
    rules = Rules.parse("rules: [{path: $.a, ignore: true}]", "compare.yaml")
    (line,) = compared(tmp_path, dump(exchange()), dump(exchange(answer=b'{"a": 2}')), rules=rules)
    assert line["verdict"] == "noise"


def test_times_are_compared_with_when_each_response_was_made(tmp_path: Path) -> None:
    def expires(at: float, text: bytes) -> http.HTTPFlow:
        return exchange(answer=b'{"expiresAt": "%s"}' % text, at=at)

    first = dump(expires(1_700_000_000.0, b"2023-11-14T23:13:20Z"))  # in an hour
    same, longer = (expires(1_800_000_000.0, text) for text in (b"2027-01-15T09:00:00Z", b"2027-01-16T09:00:00Z"))
    assert compared(tmp_path, first, dump(same))[0]["verdict"] == "noise"
    assert compared(tmp_path, first, dump(longer))[0]["verdict"] == "different"


@pytest.mark.parametrize(
    ("one", "other", "link", "verdict"),
    [
        (b"shop.example", b"localhost:9002", b"http://localhost:9002/x", "noise"),
        (b"localhost:9001", b"localhost:9002", b"http://localhost:9002/x", "noise"),
        (b"a.test", b"b.test", b"http://b.test/x", "noise"),
        (b"a.test:80", b"b.test:80", b"http://b.test:80/x", "noise"),
        (b"a.test", b"b.test", b"http://c.test/x", "different"),
    ],
)
def test_links_of_a_host_to_itself(tmp_path: Path, one: bytes, other: bytes, link: bytes, verdict: str) -> None:
    flows = []
    for host, target in ((one, b"http://%s/x" % one), (other, link)):
        flow = exchange(answer_fields=[(b"Location", target)])
        flow.request.headers["host"] = host.decode()
        flows.append(flow)
    (line,) = compared(tmp_path, dump(flows[0]), dump(flows[1]), any_origin=True)
    assert line["verdict"] == verdict


def test_new_ids_of_the_second_capture(tmp_path: Path) -> None:
    def made(id: int) -> bytes:
        return dump(
            exchange(b"POST", b"/orders", b"{}", b'{"id": %d}' % id, at=1.0),
            exchange(b"GET", b"/orders", b"", b'[{"id": %d}]' % id, at=2.0),
        )

    lines = compared(tmp_path, made(17), made(99))
    assert [line["verdict"] for line in lines] == ["noise", "noise"]
    assert lines[0]["differences"][0]["noise"] == "new_id"


def test_secrets_are_not_in_the_lines(tmp_path: Path) -> None:
    flows = [
        exchange(fields=[(b"Cookie", b"s3cret")], answer_fields=[(b"Set-Cookie", b"s=s3cret%d" % n)]) for n in (1, 2)
    ]
    (text,) = compared(
        tmp_path, dump(flows[0]), dump(flows[1]), redacted=Redaction(("Cookie", "Set-Cookie")), bodies=True
    )
    assert "s3cret" not in json.dumps(text)
    assert text["differences"][0]["primary"] == "[redacted]"


def test_a_field_that_one_capture_has_blanked_is_not_compared(tmp_path: Path) -> None:
    blanked = line(redacted=Redaction(("content-type",)))
    other = exchange(b"POST", b"/orders?x=1", answer=b"done", answer_fields=[(b"Content-Type", b"text/html")])
    other.response.status_code = 201
    (text,) = compared(tmp_path, blanked, dump(other), bodies=True)
    assert text["verdict"] == "same"
    assert text["primary"]["headers"] == [["content-type", "[redacted]"]]


def test_the_lines_are_a_capture_again(tmp_path: Path) -> None:
    flow = exchange(b"POST", body=b"asked", fields=[(b"X-A", b"1")])
    (tmp_path / "a").write_bytes(dump(flow))
    pairs = Pairing(tmp_path / "a", tmp_path / "a", [])
    (tmp_path / "record").write_bytes(b"".join(lines_of(pairs, Manner("a", "b", bodies=True))))
    (entry,) = read_capture(tmp_path / "record", pytest.fail)
    request = entry.flow.request  # type: ignore[union-attr]
    assert (request.content, request.headers["x-a"], request.headers["host"]) == (b"asked", "1", "shop.example")


def test_a_response_that_nobody_waited_for_is_not_compared(tmp_path: Path) -> None:
    flow = exchange()
    flow.response = None
    (line,) = compared(tmp_path, dump(flow), dump(exchange()))
    assert (line["verdict"], line["notes"]) == (None, ["not compared: the first has no response (unanswered)"])
    (line,) = compared(tmp_path, dump(exchange()), dump(flow))
    assert line["verdict"] == "failed"


def test_an_error_of_ours_costs_one_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("here")

    monkeypatch.setattr(comparing, "compare", broken)
    (line,) = compared(tmp_path, dump(exchange()), dump(exchange()))
    assert line["notes"] == ["not compared: ZeroDivisionError: here"]
