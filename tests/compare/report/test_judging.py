from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.causes import Cause
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.report.judging import Judge
from mirror_addon.compare.report.judging import JudgedLine
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.rules import Rules

PARSE = LineParser(JudgedLine)


def recorded(primary: Any, shadow: Any, *, bodies: bool, status: int = 200, **headers: str) -> JudgedLine:
    sides = []
    for value, code in ((primary, 200), (shadow, status)):
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        fields = [(b"content-type", b"application/json")]
        fields += [(name.encode(), text.encode()) for name, text in headers.items() if value is shadow]
        sides.append(Answer(code, tuple(fields), content, len(content), 5.0))
    url = "http://shop.test/orders/7"
    comparison = compare(*sides, method="GET", url=url)
    about = About("f/0", "f", 1e9, "r", "v1", "v2", False, "GET", url, 0, "c")
    request = RecordedRequest((), b"", False) if bodies else None
    return PARSE(record_line(about, *sides, comparison, request=request, redacted=Redaction(("Set-Cookie",))))


def judged(line: JudgedLine, rules: str) -> tuple[str | None, list[tuple[str, str]]]:
    found = Judge(Rules.parse(rules, "c.yaml")).line(line)
    return found.verdict, [(each.path, each.noise) for each in found.differences]


@pytest.mark.parametrize("bodies", [True, False])
@pytest.mark.parametrize(
    ("rules", "verdict", "noise"),
    [
        ("", "different", ["", ""]),
        ("rules: [{path: $.items, ignore: true}]", "different", ["", "ignored"]),
        ("rules: [{path: $.., ignore: true}]", "noise", ["ignored", "ignored"]),
        ("rules: [{path: '$.items[0].price', ignore: true}]", "different", ["", "ignored"]),
        ("rules: [{path: $.total, ignore: true, endpoint: /other}]", "different", ["", ""]),
        (f"rules: [{{path: $.total, accepted: {Cause('$.total', 'value').id}}}]", "different", ["accepted", ""]),
    ],
)
def test_by_other_rules(bodies: bool, rules: str, verdict: str, noise: list[str]) -> None:
    if "$.., " in rules:
        rules = rules.replace("$..,", "$,")
    line = recorded({"total": 1, "items": [{"price": 1}]}, {"total": 2, "items": [{"price": 2}]}, bodies=bodies)
    found, differences = judged(line, rules)
    assert (found, sorted(differences)) == (
        verdict, sorted(zip(("$.total", "$.items[*].price"), noise, strict=True)),
    )  # fmt: skip


def test_a_body_from_which_a_secret_was_left_out_is_whole() -> None:
    """It is shorter than on the wire, and would be compared as text up to where it seems to end."""
    card = "4111 1111 1111 1111"
    line = recorded({"total": 1, "card": card}, {"total": 2, "card": card}, bodies=True)
    assert len(line.primary.body or "") < line.primary.bytes
    assert judged(line, "")[1] == [("$.total", "")]


def test_values_are_compared_again_only_with_bodies() -> None:
    rules = "rules: [{path: $.total, tolerance: 2}]"
    assert judged(recorded({"total": 1}, {"total": 2}, bodies=True), rules)[0] == "noise"
    assert judged(recorded({"total": 1}, {"total": 2}, bodies=False), rules)[0] == "different"
    judge = Judge(Rules.parse(rules, "c.yaml"))
    list(judge.lines([recorded({"total": 1}, {"total": 2}, bodies=each) for each in (True, True, False)]))
    assert (judge.anew, judge.listed) == (2, 1)


def test_rules_of_the_recording_are_not_in_force_any_more() -> None:
    line = recorded({"total": 1}, {"total": 2}, bodies=False)
    raw = json.loads(json.dumps({"noise": "ignored"}))
    ignored = PARSE(json.dumps(_raw(line, raw)).encode())
    assert judged(ignored, "") == ("different", [("$.total", "")])
    timed = PARSE(json.dumps(_raw(line, {"noise": "time"})).encode())
    assert judged(timed, "") == ("noise", [("$.total", "time")])


def _raw(line: JudgedLine, changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    (difference,) = line.differences
    return {
        "version": 1, "id": line.id, "method": line.method, "url": line.url, "target": line.target,
        "primary": {"status": 200}, "shadow": {"status": 200}, "verdict": "noise",
        "differences": [{"path": difference.path, "kind": difference.kind, "primary": 1, "shadow": 2} | changes],
    } | more  # fmt: skip


def test_what_needs_more_than_the_responses_is_kept() -> None:
    line = recorded({"total": 1}, {"total": 2}, bodies=True)
    text = record_like(line, noise="control")
    assert judged(text, "") == ("noise", [("$.total", "control")])
    blanked = recorded({"total": 1}, {"total": 1}, bodies=True, **{"set-cookie": "a=b"})
    assert judged(blanked, "") == ("different", [("header:set-cookie", "")])


def test_redacted_fields_are_judged_as_recorded() -> None:
    blank = {"headers": [["Set-Cookie", "[redacted]"]], "body": "", "status": 200}
    line = _raw(same_difference(), {"path": "header:set-cookie"}, primary=blank, shadow=blank | {"headers": []})
    assert judged(PARSE(json.dumps(line).encode()), "") == ("different", [("header:set-cookie", "")])


def record_like(line: JudgedLine, noise: str) -> JudgedLine:
    from msgspec.structs import replace

    (difference,) = line.differences
    return replace(line, differences=(replace(difference, noise=noise),))


def test_status_accepted_with_what_it_explains() -> None:
    rules = f"rules: [{{path: status, accepted: {Cause('status', 'value', '2xx -> 500').id}}}]"
    for bodies in (True, False):
        line = recorded({"total": 1}, {"error": "x"}, bodies=bodies, status=500)
        assert judged(line, rules)[0] == "noise"
        assert judged(recorded({"total": 1}, {"error": "x"}, bodies=bodies, status=503), rules)[0] == "different"


def test_odd_lines_stay_as_they_are() -> None:
    same = recorded({"a": 1}, {"a": 1}, bodies=False)
    assert Judge(Rules()).line(same) is same
    failed = PARSE(json.dumps(_raw(recorded({"a": 1}, {"a": 2}, bodies=False), {}, verdict="failed")).encode())
    assert Judge(Rules()).line(failed) is failed
    side = {"status": 200, "body": "!", "encoding": "base64"}
    odd = PARSE(json.dumps(_raw(recorded({"a": 1}, {"a": 2}, bodies=False), {}, primary=side, shadow=side)).encode())
    assert Judge(Rules()).line(odd).verdict == "different"
    cut = PARSE(json.dumps(_raw(recorded({"a": 1}, {"a": 2}, bodies=False), {}, verdict="different", more=2)).encode())
    assert judged(cut, "rules: [{path: $, ignore: true}]")[0] == "different"
    for path in ("nowhere", "status", "/a/b", "$['a'].b[*]", "$.a…"):
        listed = PARSE(json.dumps(_raw(same_difference(), {"path": path, "where": path})).encode())
        assert judged(listed, "rules: [{path: $.x, ignore: true}]") == ("different", [(path, "")])
    order = PARSE(json.dumps(_raw(same_difference(), {"path": "$.a", "kind": "order"})).encode())
    assert judged(order, "rules: [{path: $.a, unordered: true}]") == ("noise", [("$.a", "unordered")])


def same_difference() -> JudgedLine:
    return recorded({"a": 1}, {"a": 2}, bodies=False)


@pytest.mark.parametrize("bodies", [True, False])
def test_differences_of_calls_are_judged_by_rules_and_never_anew(bodies: bool) -> None:
    line = recorded({"a": 1}, {"a": 1}, bodies=bodies)
    call = ListedDifference("call:POST pay/charges $.amount", "call", 1, 2, "", "POST http://pay/charges $.amount")
    line = msgspec.structs.replace(line, verdict="different", differences=(call,))
    assert judged(line, "") == ("different", [(call.path, "")])
    assert judged(line, "rules: [{path: 'call:POST pay/*', ignore: true}]") == ("noise", [(call.path, "ignored")])


@pytest.mark.parametrize("bodies", [True, False])
def test_the_twin_s_judgement_is_kept(bodies: bool) -> None:
    line = recorded({"id": 7}, {"id": 8}, bodies=bodies)
    own = ListedDifference("$.id", "value", 7, 8, "twin", "$.id")
    foreign = ListedDifference("$.order_id", "primary_id", 7, 7, "", "$.order_id")
    line = msgspec.structs.replace(line, verdict="different", differences=(own, foreign))
    assert judged(line, "") == ("different", [("$.order_id", ""), ("$.id", "twin")][:: 1 if bodies else -1])
    accepted = f"rules: [{{path: $.order_id, accepted: {Cause('$.order_id', 'primary_id').id}}}]"
    assert judged(line, accepted)[0] == "noise"
    assert judged(line, "rules: [{path: $.order_id, ignore: true}]")[0] == "noise"
