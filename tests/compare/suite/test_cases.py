from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.suite import cases as module
from mirror_addon.compare.suite.cases import Case
from mirror_addon.compare.suite.cases import Filters
from mirror_addon.compare.suite.cases import Selection
from mirror_addon.compare.suite.cases import target_of

READ = LineParser(KeptLine)


def line(
    url: str = "http://b.test/users/7?x=1",
    *,
    request: dict[str, Any] | None = None,
    primary: dict[str, Any] | None = None,
    **changes: Any,
) -> KeptLine:
    kept = {"headers": [], "body": "", "encoding": "utf-8", "cut": False}
    return READ(
        json.dumps(
            {
                "version": 1, "id": "f/0", "target": "b/v2", "method": "GET", "url": url, "verdict": "same",
                "request": kept | (request or {}), "primary": kept | {"status": 200} | (primary or {}),
                "shadow": {"status": 200},
            } | changes
        ).encode()
    )  # fmt: skip


def selected(*lines: KeptLine, **filters: Any) -> Selection:
    selection = Selection(Filters(**filters))
    for each in lines:
        selection.add(each)
    return selection


def only(*lines: KeptLine) -> Case:
    ((case,),) = selected(*lines).cases.values()
    return case


def reason(found: KeptLine) -> str:
    selection = selected(found)
    assert not selection.cases
    ((said, number),) = selection.left_out.items()
    assert number == 1
    return said


def test_a_case() -> None:
    headers = [["Host", "b.test"], ["Content-Length", "2"], ["Accept", "*/*"], ["Cookie", "[redacted]"]]
    response = {"headers": [["Set-Cookie", "[redacted]"], ["X", "1"]], "body": "aGk=", "encoding": "base64"}
    differences = [{"path": "$.a"}, {"path": "$.a"}, {"path": "$.b", "noise": "id"}]
    case = only(
        line(
            method="POST", request={"headers": headers, "body": "hi"}, primary=response, verdict="different",
            differences=differences,
        )
    )  # fmt: skip
    assert (case.endpoint, case.method, case.target) == ("POST /users/{id}", "POST", "/users/7?x=1")
    assert case.headers == (("Accept", "*/*"), ("Cookie", "[redacted]"))
    assert (case.body, case.response_body, case.response_headers) == (b"hi", b"hi", (("X", "1"),))
    assert (case.verdict, case.differing) == ("different", ("$.a",))


def test_content_codings_are_undone() -> None:
    packed = base64.b64encode(gzip.compress(b'{"a": 1}')).decode()
    response = {"headers": [["Content-Encoding", "gzip"], ["X", "1"]], "body": packed, "encoding": "base64"}
    case = only(line(primary=response))
    assert (case.response_body, case.response_headers) == (b'{"a": 1}', (("X", "1"),))
    case = only(line(primary=response | {"body": "AAAA"}))
    assert case.response_body == b"\0\0\0" and len(case.response_headers) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"primary": {"status": None}}, "without a response"),
        ({"primary": {"cut": True}}, "only a part"),
        ({"request": {"cut": True}}, "only a part"),
        ({"request": {"body": None, "headers": [["Content-Length", "5"]]}}, "only a part"),
        ({"primary": {"body": "x" * (module.MAX_BODY + 1)}}, "more than"),
        ({"primary": {"body": "???", "encoding": "base64"}}, "invalid body or header"),
        ({"primary": {"body": "\ud800"}}, "invalid body or header"),
        ({"request": {"headers": [["a", "\u0142"]]}}, "invalid body or header"),
        ({"method": "G\u00c9T"}, "invalid body or header"),
    ],
)
def test_what_is_left_out(changes: dict[str, Any], said: str) -> None:
    assert said in reason(line(**changes))


def test_records_without_bodies() -> None:
    document = {
        "version": 1, "id": "f/0", "target": "b", "method": "GET", "url": "http://b/", "verdict": "same",
        "primary": {"status": 200}, "shadow": {"status": 200},
    }  # fmt: skip
    assert "mirror_record_bodies" in reason(READ(json.dumps(document).encode()))


def test_differing_pairs_come_first_and_the_limit_holds() -> None:
    verdicts = ["same", "failed", "same", "noise", "different", "same", "different"]
    lines = [line(f"http://b/users/{number}", verdict=verdict) for number, verdict in enumerate(verdicts)]
    (cases,) = selected(*lines, limit=4).cases.values()
    assert [each.target for each in cases] == ["/users/4", "/users/6", "/users/3", "/users/0"]


def test_one_request_is_one_case_whatever_the_target() -> None:
    assert len(selected(line(), line(target="b/v3"), line(id="g/0")).cases["GET /users/{id}"]) == 1
    assert len(selected(line(), line("http://b/users/8")).cases["GET /users/{id}"]) == 2


def test_filters() -> None:
    lines = [
        line(),
        line(method="POST"),
        line("http://b/other", verdict="different"),
        line("http://b/x", control=True),
    ]
    assert set(selected(*lines).cases) == {"GET /users/{id}", "POST /users/{id}", "GET /other"}
    assert set(selected(*lines, endpoints=("* /users/*",)).cases) == {"GET /users/{id}", "POST /users/{id}"}
    assert set(selected(*lines, endpoints=("GET /users/{id}",)).cases) == {"GET /users/{id}"}
    assert set(selected(*lines, methods=("POST",)).cases) == {"POST /users/{id}"}
    assert set(selected(*lines, verdicts=("different",)).cases) == {"GET /other"}


def test_endpoints_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDPOINTS", 2)
    selection = selected(*(line(f"http://b/{name}") for name in "abcde"))
    assert len(selection.cases) == 2 and selection.left_out.total() == 3


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://b/x?y=1", "/x?y=1"),
        ("http://b", "/"),
        ("http://b?x", "/?x"),
        ("http://b/%2e%2e//?a=http://c/", "/%2e%2e//?a=http://c/"),
        ("/only", "/only"),
        ("", "/"),
    ],
)
def test_targets(url: str, target: str) -> None:
    assert target_of(url) == target


def test_requests_without_a_body_and_bodies_that_cannot_be_decoded() -> None:
    assert only(line(request={"body": None}, primary={"body": None})).body == b""
    whole = gzip.compress(b'{"a": 1}' * 1000)
    for packed in (whole[:-8], b"\0\0\0"):
        primary = {
            "headers": [["Content-Encoding", "gzip"]],
            "body": base64.b64encode(packed).decode(),
            "encoding": "base64",
        }
        case = only(line(primary=primary))
        assert (case.response_body, case.response_headers) == (packed, (("Content-Encoding", "gzip"),))
