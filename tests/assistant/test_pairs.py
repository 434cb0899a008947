from __future__ import annotations

import gzip
import json

import pytest

from mirror_addon.assistant.pairs import Message
from mirror_addon.assistant.pairs import PairView
from mirror_addon.assistant.pairs import Wanted
from mirror_addon.assistant.pairs import difference_document
from mirror_addon.assistant.pairs import finding_without_secrets
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import Redaction

REDACTION = Redaction([*DEFAULT_REDACTED, "$.password"])
JSON = (b"Content-Type", b"application/json")
CARD = "4111111111111111"


def pair(*differences: Difference, **changes: object) -> PairView:
    given = {
        "id": "f/0", "time": "", "endpoint": "GET /x", "method": "GET", "url": "http://b.test/x", "target": "b",
        "control": False, "verdict": "different", "primary": {"status": 200}, "shadow": {"status": 500}, "more": 0,
    } | changes  # fmt: skip
    return PairView(differences=differences, **given)  # type: ignore[arg-type]


def test_a_body_is_redacted_then_cut() -> None:
    message = Message(
        (JSON, (b"Authorization", b"Bearer x")), b'{"password": "hunter2", "n": "%b"}' % (b"y" * 99), False
    )
    found = message.document(REDACTION, 40)
    assert found["headers"][1] == ["Authorization", "[redacted]"]
    assert found["body"].startswith('{"password": "<redacted') and len(found["body"]) == 40 and found["cut"]


def test_a_coded_body_is_shown_as_text() -> None:
    body = gzip.compress(json.dumps({"a": 1}).encode())
    message = Message((JSON, (b"Content-Encoding", b"gzip")), body, False)
    assert message.document(REDACTION, 100)["body"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [(b"\xff\xfe\x00", b"", "not text"), (b"no gzip", b"gzip", "not text"), (None, b"", "not recorded")],
)
def test_what_is_no_text_is_named(body: bytes | None, coding: bytes, why: str) -> None:
    found = Message(((b"Content-Encoding", coding),), body, False).document(Redaction(), 100)
    assert found["body"] is None and why in found["why"]


def test_a_body_that_cannot_be_searched_is_withheld() -> None:
    assert Message((JSON,), b'{"password": "hun', True).document(REDACTION, 100)["why"] == "withheld"


def test_a_bomb_is_not_undone() -> None:
    message = Message(((b"Content-Encoding", b"gzip"),), gzip.compress(b"a" * 50_000_000), True)
    assert message.document(Redaction(), 20_000)["body"] == "a" * 19_999 + "…"


def test_a_pair_in_a_list_and_alone() -> None:
    noise = Difference("$.at", "value", 1, 2, "timestamp")
    view = pair(*(Difference(f"$.a{number}", "value", 1, 2) for number in range(60)), noise, more=3)
    row = view.summary(REDACTION)
    assert row["differs"][0] == "$.a0 value" and row["more"] == 58 and len(row["findings"]) == 60
    whole = view.document(REDACTION, 10)
    assert len(whole["differences"]) == 50 and whole["more"] == 14
    with_body = pair(messages=(("primary", Message((), b"x", False)),)).document(REDACTION, 10)
    assert with_body["primary"]["body"] == "x" and with_body["primary"]["status"] == 200


def test_which_pairs_are_wanted() -> None:
    view = pair(Difference("$.a", "value", 1, 2))
    (finding,) = view.findings
    assert Wanted().has(view) and Wanted("different", "GET /x", finding).has(view)
    assert (
        not Wanted("same").has(view) and not Wanted(endpoint="GET /y").has(view) and not Wanted(finding="f").has(view)
    )


def test_secrets_of_differences_and_findings() -> None:
    shown = difference_document(Difference("header:cookie", "value", "a", "b", "", "header:cookie"), REDACTION)
    assert shown["primary"] == shown["shadow"] == "[redacted]"
    assert CARD not in json.dumps(difference_document(Difference(f"$.x{CARD}", "value", CARD, 1), REDACTION)).replace(
        f"x{CARD}", ""
    )
    example = {"id": "1", "method": "GET", "url": "http://x/?api_key=k", "where": "$.password", "kind": "value"}
    found = {
        "path": "$.password", "endpoints": ["GET /x"], "example": {**example, "primary": "hunter2", "shadow": CARD},
    }  # fmt: skip
    text = json.dumps(finding_without_secrets(found, REDACTION))
    assert "hunter2" not in text and CARD not in text and "api_key=k" not in text
    assert finding_without_secrets({**found, "example": None}, REDACTION)["example"] is None
