from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import Call
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker import comparing
from mirror_addon.worker import comparison_task
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.comparing import Comparing
from mirror_addon.worker.pair_book import PendingPair

MIB = 1024 * 1024
JSON = ((b"Content-Type", b"application/json"),)
REDACTED = (b"set-cookie", b"x-token")


worlds: list[World] = []


@pytest.fixture(autouse=True)
async def ended_processes() -> AsyncIterator[None]:
    """Ends what compares after the test."""
    yield
    while worlds:
        await worlds.pop().comparing.close()


class World:
    """A Comparing whose verdicts are kept."""

    def __init__(self, folder: Path, **recording: Any) -> None:
        self.told: dict[int, tuple[VerdictReport, list[dict[str, Any]]]] = {}
        self.logged: list[str] = []
        self.budget = Budget(MIB)
        self.path = folder / "record.jsonl"
        self.comparing = Comparing(self.budget, self._tell, self.logged.append)
        self.configure(**recording)
        worlds.append(self)

    def configure(self, **recording: Any) -> None:
        values: dict[str, Any] = {"path": str(self.path), "compare": True, "redact": REDACTED} | recording
        self.comparing.configure(Recording(MIB, **values))

    def _tell(self, number: int, report: VerdictReport, differences: bytes) -> None:
        assert number not in self.told
        self.told[number] = report, json.loads(differences) if differences else []

    def subject(self, group: str = "g", ignore: str = "") -> Subject:
        return Subject(group, 1.0, "r", "b/v1", False, False, "GET", "http://b/x", 1, "", ignore, JSON)

    def join(self, number: int, group: str = "g", ignore: str = "") -> PendingPair:
        return self.comparing.join(number, "b/v2", f"{group}/{number}", tuple(self.subject(group, ignore)))

    def answered(self, body: bytes = b'{"a":1}', group: str = "g", headers: Any = JSON, **more: Any) -> None:
        values: dict[str, Any] = {
            "status": 200,
            "kept": True,
            "ms": 1.0,
            "error": "",
            "note": "",
            "uncontrolled": False,
        }
        values |= {"group": group, "headers": headers, "bytes": len(body)} | more
        self.comparing.primary_ended(PrimaryAnswer(**values), body)

    def ended(self, pair: PendingPair, body: bytes = b'{"a":1}', headers: Any = JSON) -> None:
        self.comparing.ended(pair, Answer(200, headers, body, len(body), 1.0), self.budget.take(len(body)))

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()] if self.path.exists() else []

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.told) < count:
                await asyncio.sleep(0.002)


async def test_a_pair_is_compared_told_and_recorded(tmp_path: Path) -> None:
    world = World(tmp_path)
    pair = world.join(1)
    world.answered()
    world.ended(pair, b'{"a":2}')
    report, differences = world.told[1]
    assert (report.verdict, report.recorded, report.primary) == ("different", True, (200, 1.0, 7, ""))
    assert [each["path"] for each in differences] == ["$.a"]
    assert [line["verdict"] for line in world.lines] == ["different"]
    assert world.budget.numbers[0] == 0


async def test_without_a_record_the_verdict_says_there_is_none(tmp_path: Path) -> None:
    world = World(tmp_path, path="")
    world.ended(world.join(1))
    world.answered()
    assert (world.told[1][0].verdict, world.told[1][0].recorded) == ("same", None)


async def test_big_responses_are_compared_in_a_process(tmp_path: Path) -> None:
    world = World(tmp_path)
    pair = world.join(1)
    body = json.dumps({"a": list(range(5000))}).encode()
    world.answered(body)
    world.ended(pair, body)
    assert world.told == {}
    await world.wait(1)
    assert world.told[1][0].verdict == "same"
    assert world.budget.numbers[0] == 0


async def test_redacted_values_are_in_no_difference(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answered()
    pair = world.join(1)
    world.answered(headers=(*JSON, (b"X-Token", b"secret1"), (b"X-Other", b"1")))
    world.ended(pair, headers=(*JSON, (b"X-Token", b"secret2"), (b"Set-Cookie", b"secret3"), (b"X-Other", b"2")))
    told = {each["path"]: each for each in world.told[1][1]}
    assert told["header:x-token"]["primary"] == told["header:x-token"]["shadow"] == "[redacted]"
    assert (told["header:x-other"]["primary"], told["header:x-other"]["shadow"]) == ("1", "2")
    assert "secret" not in world.path.read_text()


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"status": None, "error": "client_gone"}, None),
        ({"status": None, "error": "killed"}, None),
        ({"status": None, "error": "connect"}, "different"),
    ],
)
async def test_primaries_without_an_answer(tmp_path: Path, more: dict[str, Any], verdict: str | None) -> None:
    world = World(tmp_path)
    pair = world.join(1)
    world.answered(b"", headers=(), kept=False, **more)
    world.ended(pair)
    assert world.told[1][0].verdict == verdict


async def test_discarded_answers_have_no_verdict_but_failures_have(tmp_path: Path) -> None:
    world = World(tmp_path, compare=False)
    first, second = world.join(1), world.join(2)
    world.answered(b"", kept=False)
    world.comparing.ended(first, Answer(500), 0)
    world.comparing.ended(second, Answer(None, error="timeout"), 0)
    assert [world.told[number][0].verdict for number in (1, 2)] == [None, "failed"]


async def test_rules_by_hand_and_the_annotation(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, ignore in ((1, "$.a"), (2, "$["), (3, "")):
        pair = world.join(number, str(number), ignore)
        world.answered(group=str(number))
        world.ended(pair, b'{"a":2}')
    assert [world.told[number][0].verdict for number in (1, 2, 3)] == ["noise", "different", "different"]
    (said,) = world.logged
    assert "mirror-addon/ignore" in said


async def test_rules_that_do_not_parse_are_said(tmp_path: Path) -> None:
    world = World(tmp_path, rules="- nonsense: [", rules_source="compare.yaml")
    assert "compare.yaml" in world.logged[0]
    world.ended(world.join(1))
    world.answered()
    assert world.told[1][0].verdict == "same"


async def test_a_comparison_that_breaks_ends_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Comparison:
        raise RecursionError("too deep")

    monkeypatch.setattr(comparison_task, "compare", broken)
    world = World(tmp_path)
    world.ended(world.join(1))
    world.answered()
    assert world.told[1][0].verdict is None
    assert "too deep" in world.told[1][0].notes[-1]


async def test_a_note_of_a_drop_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, bodies=True)
    world.comparing.noted(1, EndNote("g/1", "b/v2", tuple(world.subject()), "queue_full"))
    world.answered()
    (line,) = world.lines
    assert (line["verdict"], line["shadow"]["error"], line["shadow"]["status"]) == ("failed", "queue_full", None)
    assert (line["request"]["body"], line["request"]["cut"]) == (None, True)


async def test_a_successor_writes_no_line_twice(tmp_path: Path) -> None:
    before = World(tmp_path)
    for number in (1, 2):
        before.ended(before.join(number, str(number)), b'{"a":2}')
    before.answered(group="1")
    assert len(before.lines) == 1

    after = World(tmp_path)
    for number in (1, 2):
        after.comparing.noted(
            number, EndNote(f"{number}/{number}", "b/v2", tuple(after.subject(str(number))), "", 200, 7, 1.0, True)
        )
        after.answered(b"", group=str(number), kept=False)
    assert [line["id"] for line in after.lines] == ["1/1", "2/2"]
    assert after.told[1][0].verdict == "different"
    assert [each["path"] for each in after.told[1][1]] == ["$.a"]
    assert after.told[2][0].verdict is None
    assert "lost" in after.told[2][0].notes[0]


async def test_at_the_end_all_that_is_open_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.join(1, "under way")
    world.ended(world.join(2, "unanswered"))
    big = json.dumps({"a": list(range(20000))}).encode()
    pair = world.join(3, "being compared")
    world.answered(big, "being compared")
    world.ended(pair, big)
    await world.comparing.close()
    found = {line["flow"]: line for line in world.lines}
    assert found["under way"]["shadow"]["error"] == "shutdown"
    assert found["under way"]["verdict"] == "failed"
    assert (found["unanswered"]["verdict"], found["unanswered"]["primary"]["error"]) == (None, "unanswered")
    assert found["being compared"]["verdict"] in ("same", None)
    assert len(world.told) == 3


async def test_at_the_end_comparisons_that_take_too_long_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_CLOSE_SECONDS", 0.01)
    world = World(tmp_path)
    body = bytes(comparing.AT_ONCE_BYTES)
    for number in (1, 2):  # the process has not started yet
        pair = world.join(number, str(number))
        world.answered(body, str(number))
        world.ended(pair, body)
    assert world.comparing.numbers == (2, 0)
    await world.comparing.close()
    assert [(line["verdict"], line["notes"]) for line in world.lines] == [(None, ["not compared: the proxy ended"])] * 2
    assert len(world.told) == 2
    assert world.budget.numbers[0] == 0


async def test_a_line_of_a_lost_worker_that_cannot_be_read_is_not_written_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.path.write_bytes(b'{"version":1,"id":"g/1","cut short":1}\n')
    world.comparing.noted(1, EndNote("g/1", "b/v2", tuple(world.subject()), "", 200, 7, 1.0, True))
    assert world.told[1][0] == VerdictReport(None, (), 0, True, None)
    assert len(world.lines) == 1


async def test_the_lines_of_a_lost_worker_are_read_once_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_LINES_BEFORE_SECONDS", 0.01)
    world = World(tmp_path)
    note = EndNote("g/1", "b/v2", tuple(world.subject()), "", 200, 7, 1.0, True)
    world.comparing.noted(1, note)
    world.path.write_bytes(b'{"version":1,"id":"g/2"}\n')
    world.comparing.noted(2, note._replace(id="g/2"))
    assert 2 not in world.told  # not among the lines that were read for the first
    async with asyncio.timeout(30):
        while world.comparing._before is not None:
            await asyncio.sleep(0.001)
    world.comparing.noted(3, note._replace(id="g/2"))
    assert 3 in world.told


async def test_a_request_body_is_recorded_as_it_arrives(tmp_path: Path) -> None:
    world = World(tmp_path, bodies=True)
    pair = world.join(1)
    world.comparing.request_body(pair, b"first ", last=False)
    world.comparing.request_body(pair, b"second", last=True)
    world.answered()
    world.ended(pair)
    assert (world.lines[0]["request"]["body"], world.lines[0]["request"]["cut"]) == ("first second", False)
    assert world.budget.numbers[0] == 0


async def test_an_annotation_is_parsed_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in (1, 2):
        pair = world.join(number, str(number), "$[")
        world.answered(group=str(number))
        world.ended(pair)
    assert len(world.logged) == 1


async def test_a_record_that_cannot_be_written_is_said_once_each_time(tmp_path: Path) -> None:
    world = World(tmp_path, path="/dev/full")
    for number in (1, 2):
        world.ended(world.join(number, str(number)))
        world.answered(group=str(number))
    assert [world.told[number][0].recorded for number in (1, 2)] == [False, False]
    assert len(world.logged) == 1
    world.configure(path=str(world.path))
    world.ended(world.join(3, "3"))
    world.answered(group="3")
    assert len(world.lines) == 1


async def test_bodies_beyond_the_budget_are_cut(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.budget.resize(100)
    pair = world.join(1)
    world.answered(b"x" * 150)
    world.ended(pair, b"x" * 10)
    await world.wait(1)
    assert any("cut" in note for note in world.told[1][0].notes)
    assert world.budget.numbers == (0, 100)


async def test_how_a_mirror_was_asked_is_known_and_a_control_was_asked_as_the_primary(tmp_path: Path) -> None:
    world = World(tmp_path, suffix=b"-shadow")
    head = Head(b"GET", b"a.test-shadow:81", b"/", ((b"x-forwarded-for", b"1.1.1.1,10.0.0.5"),), 1.0, 0, 0, 0)
    pair = world.join(1)
    assert world.comparing.asked(pair, head) == Asked(b"a.test-shadow", b"a.test", b"10.0.0.5", b"1.1.1.1")
    pair.label = "control:b/v1"
    assert world.comparing.asked(pair, head) is None


async def test_operations_and_new_ids_over_pairs(tmp_path: Path) -> None:
    world = World(tmp_path)
    pairs = [
        ("POST", "http://b/orders", b'{"n": 2}', b'{"id": 1001}', b'{"id": 57}', "noise", "POST /orders"),
        ("GET", "http://b/basket", b"", b'{"orderId": 1001}', b'{"orderId": 57}', "noise", "GET /basket"),
        ("GET", "http://b/basket", b"", b'{"orderId": 1001}', b'{"orderId": 58}', "different", "GET /basket"),
        ("POST", "http://b/gql", b'{"query": "query Q { a }"}', b'{"id": 3}', b'{"id": 4}', "different", "POST /gql Q"),
    ]  # fmt: skip
    for number, (method, url, body, one, other, verdict, endpoint) in enumerate(pairs):
        group = f"g{number}"
        subject = world.subject(group)._replace(method=method, url=url)
        pair = world.comparing.join(number, "b/v2", f"{group}/0", tuple(subject))
        world.comparing.request_body(pair, body, last=True)
        world.answered(one, group)
        world.ended(pair, other)
        assert (world.told[number][0].verdict, world.lines[-1]["endpoint"]) == (verdict, endpoint)
    assert world.budget.numbers[0] == 0


async def test_calls_are_a_part_of_the_verdict_and_of_the_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    pair = world.join(1)
    pair.subject = pair.subject._replace(calls=True)
    world.answered()
    world.ended(pair)
    assert world.told == {}
    call = Call("POST", "http://pay.test/charges", "blocked")
    world.comparing.called("g", 1, json.dumps([call.as_dict()]).encode())
    report, differences = world.told[1]
    assert report.verdict == "different" and [each["kind"] for each in differences] == ["call"]
    assert json.loads(world.path.read_text())["calls"] == [call.as_dict()]


async def test_own_ids_in_calls_do_not_count_with_a_twin(tmp_path: Path) -> None:
    world = World(tmp_path)
    pair = world.join(1)
    pair.subject = pair.subject._replace(calls=True)
    pair.twin = TwinValues(frozenset({("$.id", "1007", "2001")}))
    world.answered()
    world.ended(pair)
    own = Difference("$.order_id", "value", 1007, 2001)
    call = Call("POST", "http://pay.test/charges", "different", (own,))
    world.comparing.called("g", 1, json.dumps([call.as_dict()]).encode())
    assert world.told[1][0].verdict == "same"
    (recorded,) = json.loads(world.path.read_text())["calls"]
    assert [each["noise"] for each in recorded["differences"]] == ["twin"]


@pytest.mark.parametrize(
    ("url", "type", "endpoint"),
    [
        ("http://b/users/7", b"application/json", "POST /users/{id}"),
        ("http://b/shop.Orders/Get", b"application/grpc+proto", "/shop.Orders/Get"),
        ("http://b/Orders/Get", b"application/grpc-web", "/Orders/Get"),
        ("http://b/graphql", b"application/json", "POST /graphql GetUser"),
    ],
)
async def test_an_endpoint_has_one_name(tmp_path: Path, url: str, type: bytes, endpoint: str) -> None:
    """In the verdict, from which findings, pages and metrics have it, and in the record."""
    world = World(tmp_path)
    pair = world.comparing.join(1, "b/v2", "g/1", tuple(world.subject()._replace(method="POST", url=url)))
    body = b'{"query": "query GetUser { user { id } }"}' if "graphql" in endpoint else b"x"
    world.comparing.request_body(pair, body, last=True)
    fields = ((b"Content-Type", type),)
    world.answered(b"1", headers=fields, bytes=1)
    world.ended(pair, b"2", headers=fields)
    await world.wait(1)
    assert world.told[1][0].endpoint == endpoint == world.lines[0]["endpoint"]
