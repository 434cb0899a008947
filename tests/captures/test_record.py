from __future__ import annotations

import base64
import json

import pytest
from capturetools import ANSWERED
from capturetools import Folder
from capturetools import line
from capturetools import reasons
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.captures import record
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.report.reading import MAX_LINE


def test_a_record(folder: Folder) -> None:
    found = folder.one(line())
    assert (found.id, found.body, found.draw, found.client) == ("f1", b"hello", 77, "198.51.100.7:4321")
    assert found.request.headers == ((b"X-A", b"1"),)
    assert (found.request.authority, found.request.path) == (b"shop.example", b"/orders?x=1")
    assert found.answer == ANSWERED
    assert (found.started, found.ended) == (1000.5, pytest.approx(1000.5115))
    assert found.connection == "198.51.100.7:4321"


def test_one_request_of_the_lines_of_its_shadows(folder: Folder) -> None:
    missing = RecordedRequest((), None, False)
    content = line(request=missing) + line(number=1) + line(number=2) + line("f2", request=missing) + line("f2", 1)
    found = folder.recorded(content)
    assert [each.id for each in found if isinstance(each, Recorded)] == ["f1", "f2"]


def test_records_that_lack_bodies(folder: Folder) -> None:
    cut = RecordedRequest((), b"abc", True)
    content = line(request=None) + line("f2", request=cut) + line("f3", request=RecordedRequest((), None, False))
    assert sorted(reasons(folder.recorded(content))) == ["body_cut", "body_not_kept", "body_not_kept"]


def test_redacted_fields_are_not_sent_and_not_compared(folder: Folder) -> None:
    request = RecordedRequest(((b"Authorization", b"secret"), (b"X-A", b"1")), b"", False)
    answer = Answer(200, ((b"Set-Cookie", b"a=b"),), b"", 0, 1.0)
    found = folder.one(line(request=request, answer=answer, redacted=Redaction(("authorization", "set-cookie"))))
    assert found.request.headers == ((b"X-A", b"1"),)
    assert (found.redacted, found.redacted_answer) == (("Authorization",), ("Set-Cookie",))


@given(body=st.binary(max_size=50), answer=st.binary(max_size=50), value=st.binary(max_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_any_bytes_come_back_from_a_record(folder: Folder, body: bytes, answer: bytes, value: bytes) -> None:
    request = RecordedRequest(((b"X-A", value),), body, False)
    found = folder.one(line(request=request, answer=Answer(200, ((b"X-B", value),), answer, len(answer), 1.0)))
    assert found.body == body
    assert found.request.headers == ((b"X-A", value),)
    assert found.answer == Answer(200, ((b"X-B", value),), answer, len(answer), 1.0)


def test_an_asterisk_and_a_failed_primary(folder: Folder) -> None:
    failed = Answer(None, error="connect")
    found = folder.one(line(method="OPTIONS", url="http://shop.example", answer=failed))
    assert found.request.path == b"*"
    assert found.answer is not None
    assert found.answer.error == "connect"


def test_a_torn_line_and_a_broken_one(folder: Folder) -> None:
    whole = line()
    assert len(folder.recorded(whole + b"\n" + b'{"version": 9}\n' + line("f2") + whole[:50])) == 2
    assert [each.partition(":")[2].partition(":")[0] for each in folder.warnings] == ["3", "5"]
    assert "incomplete" in folder.warnings[1]
    assert "version" in folder.warnings[0]


@pytest.mark.parametrize("content", [b'{"method": "GET"}\n', b'{"version": 1,', b"{oops}\n"])
def test_no_record_at_all(folder: Folder, content: bytes) -> None:
    with pytest.raises(CaptureError, match="capture:1: "):
        folder.entries(content)


def test_a_line_that_cannot_be_used_is_a_warning(folder: Folder) -> None:
    whole = json.loads(line("f2"))
    whole["request"] |= {"body": "!", "encoding": "base64"}
    found = folder.recorded(line() + json.dumps(whole).encode() + b"\n" + line("f3", url="ftp://shop.example/"))
    assert [each.id for each in found if isinstance(each, Recorded)] == ["f1"]
    assert [each.partition(":")[2].partition(":")[0] for each in folder.warnings] == ["2", "3"]
    assert all(each.endswith("left out") for each in folder.warnings)


def test_a_line_longer_than_any_is_left_out(folder: Folder) -> None:
    body = base64.b64encode(bytes(MAX_LINE)).decode()
    long = json.dumps({"version": 1, "request": {"headers": [], "body": body}}).encode() + b"\n"
    assert len(folder.recorded(line() + long + line("f2"))) == 2
    assert len(folder.warnings) == 1 and ":2: " in folder.warnings[0]


def test_records_of_older_versions_have_a_time_and_no_client(folder: Folder) -> None:
    document = json.loads(line())
    for name in ("start", "client", "draw", "flow"):
        document.pop(name, None)
    found = folder.one(json.dumps(document | {"time": "2026-11-22T12:00:00.500Z"}).encode() + b"\n")
    assert (found.started, found.client, found.draw, found.id) == (1795348800.5, "", None, "f1")
    found = folder.one(json.dumps({**document, "time": "", "id": ""}).encode() + b"\n")
    assert found.started == 0.0
    assert found.id


def test_only_so_many_primaries_are_remembered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_REMEMBERED", 2)
    missing = RecordedRequest((), None, False)
    content = line("f1", request=missing) + line("f2") + line("f3") + line("f4") + line("f2", 1)
    assert reasons(folder.recorded(content)) == ["", "", "body_not_kept", "", ""], (
        "a later line of f2 is one more primary"
    )
