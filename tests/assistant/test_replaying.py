from __future__ import annotations

import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from assistanttools import SECRETS
from assistanttools import inside
from assistanttools import kept
from assistanttools import line
from assistanttools import write_record

from mirror_addon.assistant import replaying
from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.record import RecordSource
from mirror_addon.assistant.replaying import Replaying
from mirror_addon.assistant.rules import RulesSource
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.redaction import Redaction
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings


class Mirror:
    """A second version: `body` is its response. It notes what arrives, and waits while `hold` is clear."""

    def __init__(self) -> None:
        self.body = '{"price": 1}'
        self.arrived: list[tuple[str, str]] = []
        self.at_once = self.most = 0
        self.hold = threading.Event()
        self.hold.set()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.arrived.append((self.command, self.path))
                mirror.at_once += 1
                mirror.most = max(mirror.most, mirror.at_once)
                mirror.hold.wait(30)
                mirror.at_once -= 1
                body = b"" if self.command == "HEAD" else mirror.body.encode()
                self.send_response_only(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(mirror.body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_OPTIONS = do_POST = do_DELETE = do_get = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    made = Mirror()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.hold.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def pair(number: int, method: str = "GET", **changes: Any) -> dict[str, Any]:
    """A differing pair, as recorded with bodies."""
    return line(
        f"f{number}/0", method=method, url=f"http://b.test/users/{number}", verdict="different",
        request={"headers": [["Cookie", REDACTED.decode()]], "body": "", "encoding": "utf-8"},
        primary=kept('{"price": 1}'), shadow=kept('{"price": 2}'),
    ) | changes  # fmt: skip


Make = Callable[..., Replaying]


@pytest.fixture
def made(tmp_path: Path, mirror: Mirror) -> Make:
    def make(*given: Any, **options: Any) -> Replaying:
        """Of lines, or of lists of lines: several files."""
        files = given if isinstance(given[0], list) else [given]
        names = [write_record(tmp_path / f"{number}.jsonl", *lines) for number, lines in enumerate(files)]
        values: dict[str, Any] = {each.name: each.default for each in OPTIONS}
        values |= {"mirror_to": [f"http://127.0.0.1:{mirror.port}"]} | options
        settings, redaction = parse_settings(values), Redaction(DEFAULT_REDACTED)
        return Replaying(settings, names, RecordSource(names, None, redaction), RulesSource(settings), redaction)

    return make


def call(made: Replaying, *ids: str, **more: Any) -> Any:
    return inside(made.call({"ids": list(ids), **more}))


def test_one_pair_is_compared_anew_and_shown_in_full(made: Make, mirror: Mirror) -> None:
    first = made(pair(1), pair(2))
    told = first.call({"ids": ["f1/0"]})
    found = inside(told)
    assert mirror.arrived == [("GET", "/users/1")]
    assert (found["requests"], found["mirrored"], found["shadows"]["sent"]) == (1, 1, 1)
    (again,) = found["pairs"]
    assert again["verdict"] == "same" and again["shadow"]["body"] == '{"price": 1}'
    assert found["redacted"] == {"cookie": 1} and "blanked in the record" in told.splitlines()[0]
    mirror.body = '{"price": 3, "key": "AKIAABCDEFGHIJKLMNOP"}'
    found = call(first, "f1/0", body=5)
    assert found["pairs"][0]["verdict"] == "different"
    assert [each["path"] for each in found["pairs"][0]["differences"]] == ["$.price", "$.key"]
    assert found["pairs"][0]["shadow"]["body"] == '{"pr…'
    assert not [secret for secret in SECRETS if secret in json.dumps(found)]


def test_several_are_rows_sent_one_after_the_other(made: Make, mirror: Mirror) -> None:
    target = {"target": f"127.0.0.1:{mirror.port}"}
    lines = [pair(1, **target), pair(2, "HEAD", **target), pair(3, "OPTIONS", **target), pair(4)]
    found = call(made(lines, lines), "f1/0", "f2/0", "f3/0")
    assert sorted(mirror.arrived) == [("GET", "/users/1"), ("HEAD", "/users/2"), ("OPTIONS", "/users/3")]
    assert mirror.most == 1, "one after the other, and each once, though two files have it"
    assert len(found["pairs"]) == 3 and all("differs" in each and "differences" not in each for each in found["pairs"])
    assert {each["recorded"] for each in found["pairs"]} == {"different"}
    found = call(made([pair(4)], lines), "f1/0")
    assert found["pairs"][0]["recorded"] == "different", "the second file's requests are found too"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "GÉT"])
def test_what_is_not_safe_is_refused_and_nothing_sent(made: Make, mirror: Mirror, method: str) -> None:
    with pytest.raises(AssistantError, match=r"f2/0 is a .*RFC 9110, 9\.2\.1\); nothing was sent"):
        call(made(pair(1), pair(2, method)), "f1/0", "f2/0")
    assert mirror.arrived == []


def test_another_request_of_the_same_id_is_not_sent(made: Make, mirror: Mirror) -> None:
    """Ids of a record are the writer's: the method is looked at again when it is sent."""
    with pytest.raises(AssistantError, match="no request was replayed"):
        call(made(pair(1, "DELETE", id="f1/1"), pair(1)), "f1/0")
    assert mirror.arrived == []


def test_pairs_that_cannot_be_sent(made: Make, mirror: Mirror) -> None:
    with pytest.raises(AssistantError, match="has no pair 'f9/0'; nothing was sent"):
        call(made(pair(1)), "f1/0", "f9/0")
    with pytest.raises(AssistantError, match="body not recorded 1; record bodies with mirror_record_bodies=true"):
        call(made(line("f1/0")), "f1/0")
    with pytest.raises(AssistantError, match="no rule that these requests meet has a mirror"):
        call(made(pair(1), mirror_to=[], mirror_rules=[str(RULES)]), "f1/0")
    assert mirror.arrived == []


RULES = Path(__file__).resolve().parents[2] / "rules"


def test_bad_rules_and_records_are_errors(made: Make, tmp_path: Path) -> None:
    with pytest.raises(AssistantError, match="no file or folder"):
        call(made(pair(1), mirror_to=[], mirror_rules=[str(tmp_path / "none")]), "f1/0")
    with pytest.raises(AssistantError, match=r"none\.yaml"):
        call(made(pair(1), mirror_compare=str(tmp_path / "none.yaml")), "f1/0")
    gone = made(pair(1))
    (tmp_path / "0.jsonl").unlink()
    with pytest.raises(AssistantError, match=r"0\.jsonl"):
        call(gone, "f1/0")


def test_a_mirror_that_does_not_answer_ends_with_the_time(
    made: Make, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "SECONDS", 1.0)
    mirror.hold.clear()
    told = made(pair(1), pair(2), mirror_drain="0.1s").call({"ids": ["f1/0", "f2/0"]})
    assert inside(told)["interrupted"] is True and "ask for fewer" in told.splitlines()[0]
    assert len(mirror.arrived) <= 1, "none, where the time was over before the worker had started"


def test_no_record_is_left(made: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    call(made(pair(1)), "f1/0")
    assert list((tmp_path / "temporary").iterdir()) == []
