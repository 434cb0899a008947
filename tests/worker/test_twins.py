"""Shadows that wait for a translation or for their turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.subject import Subject
from mirror_addon.twin.twin import Twin
from mirror_addon.worker import twins as module
from mirror_addon.worker.attempt import ABORTED
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Job
from mirror_addon.worker.pair_book import PairBook
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.twins import Twins

TARGET = b"target"
JSON = ((b"Content-Type", b"application/json"),)


def document(value: Any, status: int = 200, *fields: tuple[bytes, bytes]) -> Answer:
    body = json.dumps(value).encode()
    return Answer(status, (*JSON, *fields), body, len(body))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


class World:
    """Twins whose lanes note what they are given."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.logged: list[str] = []
        self.jobs: dict[int, Job] = {}
        self.pairs: dict[int, PendingPair] = {}
        self.book = PairBook(lambda match: None, Budget(1000), lambda: 0.0)
        self.twins = Twins(self._submit, self.logged.append)

    def _submit(self, job: Job, target: bytes) -> None:
        assert target == TARGET
        self.sent.append(job.number)

    def shadow(
        self,
        number: int,
        method: str,
        path: str,
        body: Any = None,
        client: str = "c",
        timeout: float = 30.0,
        cookie: str = "",
        whole: bool = True,
        label: str = "b/v2",
    ) -> Job:
        content = b"" if body is None else json.dumps(body).encode()
        fields = JSON if body is not None else ()
        if cookie:
            fields = (*fields, (b"Cookie", cookie.encode()))
        head = Head(method.encode(), b"b", path.encode(), fields, timeout, 100, 100, 100)
        subject = Subject(f"g{number}", 0.0, "r", "b/v1", False, False, method, f"http://b{path}", 1, client, twin=True)
        pair = self.pairs[number] = PendingPair(number, f"g{number}/{number}", label, subject)
        self.book.join(pair)
        job = self.jobs[number] = Job(number, pack(head), content if whole else content[:5], whole)
        self.twins.take(job, pair, TARGET)
        return job

    def primary(self, number: int, response: Answer) -> None:
        self.twins.primary_ended(self.book.pairs_of(f"g{number}"), response)
        self.book.primary_ended(f"g{number}", response)

    def mirror(self, number: int, response: Answer) -> Report:
        report = self.twins.told(self.jobs[number], ABORTED)
        self.twins.ended(self.pairs[number], response)
        self.book.ended(self.pairs[number], response)
        return report

    def path(self, number: int) -> bytes:
        return Head(*unpack(self.jobs[number].request)).path

    def make(self, number: int, primary: int, shadow: int, client: str = "c") -> None:
        self.shadow(number, "POST", "/orders", {}, client)
        self.primary(number, document({"id": primary}, 201))
        self.mirror(number, document({"id": shadow}, 201))


async def test_a_shadow_waits_for_its_translation_and_others_do_not() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    world.shadow(2, "GET", "/orders/7")
    world.shadow(3, "GET", "/orders/5")
    assert world.sent == [1, 3]
    world.mirror(1, document({"id": 8}, 201))
    assert (world.sent, world.path(2)) == ([1, 3, 2], b"/orders/8")
    report = world.mirror(2, document({}))
    assert (report.adapted, report.request) == (("twin",), None), "nobody looks at it"
    (translation,) = world.pairs[2].translations or ()
    assert translation == ("path[1]", "7", "8", "g1/1")
    assert world.pairs[3].translations == ()


async def test_the_mirror_may_be_faster() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.mirror(1, document({"id": 8}, 201))
    world.primary(1, document({"id": 7}, 201))
    world.shadow(2, "GET", "/orders/7")
    assert world.path(2) == b"/orders/8"
    values = world.pairs[1].twin
    assert values is not None and values.are_same("$.id", 7, 8)


async def test_it_is_sent_as_it_is_when_its_time_is_over() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    world.shadow(2, "GET", "/orders/7", timeout=0.01)
    await until(lambda: world.sent == [1, 2])
    assert world.path(2) == b"/orders/7"
    assert world.mirror(2, document({})).adapted == ("twin_missing",)
    world.mirror(1, document({"id": 8}, 201))
    assert world.sent == [1, 2]


@pytest.mark.parametrize("response", [Answer(None, error="timeout"), document({"error": "full"}, 500)])
async def test_a_mirror_that_made_nothing(response: Answer) -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    world.shadow(2, "GET", "/orders/7")
    world.mirror(1, response)
    assert world.sent == [1, 2]
    assert world.mirror(2, document({})).adapted == ("twin_missing",)


async def test_the_order_of_one_client_is_kept() -> None:
    world = World()
    world.make(1, 7, 8)
    world.shadow(2, "GET", "/orders/7")
    world.primary(2, document({"id": 7}))
    world.shadow(3, "DELETE", "/orders/7")
    world.shadow(4, "DELETE", "/orders/7", client="another")
    world.shadow(5, "GET", "/orders/9")
    assert world.sent == [1, 2, 4, 5]
    world.mirror(2, document({"id": 8}))
    assert world.sent == [1, 2, 4, 5, 3]


async def test_the_order_holds_among_those_that_waited_for_one_translation() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    for number, method in enumerate(("GET", "PUT", "DELETE"), start=2):
        world.shadow(number, method, "/orders/7")
        world.primary(number, document({}))
    world.mirror(1, document({"id": 8}, 201))
    assert world.sent == [1, 2]
    world.mirror(2, document({}))
    assert world.sent == [1, 2, 3]
    world.mirror(3, document({}))
    assert world.sent == [1, 2, 3, 4]
    assert [world.path(number) for number in (2, 3, 4)] == [b"/orders/8"] * 3


async def test_what_the_client_sent_at_once_is_sent_at_once() -> None:
    world = World()
    world.make(1, 7, 8)
    world.shadow(2, "GET", "/orders/7")
    world.shadow(3, "GET", "/orders/7")
    assert world.sent == [1, 2, 3]


async def test_a_client_is_known_by_its_cookie() -> None:
    world = World()
    world.shadow(1, "POST", "/login", {})
    world.primary(1, document({}, 200, (b"Set-Cookie", b"sid=p1")))
    world.mirror(1, document({}, 200, (b"Set-Cookie", b"sid=m1")))
    world.shadow(2, "GET", "/orders", client="c2", cookie="sid=p1")
    world.primary(2, document({}))
    world.shadow(3, "GET", "/orders", client="c3", cookie="sid=p1")
    world.shadow(4, "GET", "/orders", client="c4", cookie="sid=other")
    assert world.sent == [1, 2, 4], "the third connection is the same client's"
    head = Head(*unpack(world.jobs[2].request))
    assert head.headers == ((b"Cookie", b"sid=m1"),)


async def test_a_mirror_that_hangs_holds_up_those_that_need_it_alone() -> None:
    world = World()
    world.make(1, 7, 8)
    world.shadow(2, "GET", "/orders/7")
    world.primary(2, document({}))
    world.shadow(3, "GET", "/orders/7", timeout=0.01)
    for number in range(4, 24):
        world.shadow(number, "GET", "/orders/7", client=f"c{number}")
    assert world.sent == [1, 2, *range(4, 24)]
    await until(lambda: world.sent[-1] == 3)
    assert world.path(3) == b"/orders/8", "the translation is known; only the turn was not waited for"
    assert world.mirror(3, document({})).adapted == ("twin",)


async def test_so_many_may_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    for number in (2, 3, 4):
        world.shadow(number, "GET", "/orders/7", client=f"c{number}")
    assert world.sent == [1, 4]
    assert world.mirror(4, document({})).adapted == ("twin_missing",)
    world.mirror(1, document({"id": 8}, 201))
    assert world.sent == [1, 4, 2, 3]


async def test_those_that_wait_are_given_up_with_their_target() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    world.primary(1, document({"id": 7}, 201))
    world.shadow(2, "GET", "/orders/7")
    world.shadow(3, "GET", "/orders/7").abort("aborted")
    assert world.twins.flush(b"another") == []
    assert world.twins.flush(TARGET) == [world.jobs[2]]
    world.mirror(2, Answer(None, error="breaker_open"))
    world.mirror(3, Answer(None, error="aborted"))
    world.mirror(1, document({"id": 8}, 201))
    assert world.sent == [1]


async def test_a_body_that_arrives_in_parts_is_waited_for() -> None:
    world = World()
    world.make(1, 7, 8)
    job = world.shadow(2, "POST", "/payments", {"order_id": 7}, whole=False)
    assert world.sent == [1]
    job.more(b"er_", False)
    world.twins.more(job)
    job.more(b'id": 7}', True)
    world.twins.more(job)
    assert world.sent == [1, 2]
    assert b"".join(job.chunks) == b'{"order_id": 8}'


async def test_a_body_without_anything_to_translate_flows() -> None:
    world = World()
    world.make(1, 7, 8)
    job = Job(2, pack(Head(b"POST", b"b", b"/orders/7", (), 30.0, 0, 0, 0)), b"x", False)
    subject = Subject("g2", 0.0, "r", None, False, False, "POST", "http://b/", 1, "c", twin=True)
    pair = PendingPair(2, "g2/2", "b/v2", subject)
    world.book.join(pair)
    world.jobs[2] = job
    world.twins.take(job, pair, TARGET)
    assert (world.sent, world.path(2)) == ([1, 2], b"/orders/8")


async def test_a_long_body_is_not_waited_for_to_its_end() -> None:
    world = World()
    world.make(1, 7, 8)
    job = world.shadow(2, "POST", "/orders/7", {"x": "y"}, whole=False)
    job.more(b" " * 300_000, False)
    world.twins.more(job)
    assert (world.sent, world.path(2)) == ([1, 2], b"/orders/8")


async def test_a_second_target_of_a_request_whose_primary_has_responded() -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    response = document({"id": 7}, 201)
    world.primary(1, response)
    subject = world.pairs[1].subject
    pair = PendingPair(2, "g1/2", "b/v3", subject)
    world.book.join(pair)
    job = Job(2, world.jobs[1].request, b"{}", True)
    world.pairs[2], world.jobs[2] = pair, job
    world.twins.take(job, pair, TARGET)
    world.shadow(3, "GET", "/orders/7", label="b/v3")
    assert world.sent == [1, 2]
    world.mirror(2, document({"id": 9}, 201))
    assert world.path(3) == b"/orders/9"


async def test_targets_beyond_the_limit_are_sent_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TARGETS", 1)
    world = World()
    world.make(1, 7, 8)
    world.shadow(2, "GET", "/orders/7", label="b/v3")
    assert (world.path(2), world.pairs[2].translations) == (b"/orders/7", None)
    world.mirror(2, document({}))


async def test_a_fault_of_ours_keeps_no_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.shadow(1, "POST", "/orders", {})
    twin = next(iter(world.twins._targets.values())).twin

    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    for name in ("read", "primary_named", "learn"):
        monkeypatch.setattr(twin, name, fails)
    world.primary(1, document({"id": 7}, 201))
    world.mirror(1, document({"id": 8}, 201))
    world.shadow(2, "GET", "/orders/7")
    assert world.sent == [1, 2]
    assert len(world.logged) == 1 and "RuntimeError: a fault" in world.logged[0]


async def test_a_query_of_graphql_makes_nothing() -> None:
    world = World()
    query = {"query": "query GetOrder { order { id } }"}
    world.shadow(1, "POST", "/graphql", query)
    world.pairs[1].request.add(json.dumps(query).encode(), 1000, Budget(1000))
    world.pairs[1].whole = True
    world.primary(1, document({"data": {"order": {"id": 7, "customer_id": 1}}}))
    world.mirror(1, document({"data": {"order": {"id": 8, "customer_id": 2}}}))
    world.shadow(2, "GET", "/customers/1")
    assert world.path(2) == b"/customers/1"


async def test_nothing_is_kept_of_pairs_that_are_over() -> None:
    world = World()
    world.make(1, 7, 8)
    world.shadow(2, "GET", "/orders/7")
    world.primary(2, Answer(None, error="reset"))
    world.mirror(2, document({}))
    (target,) = world.twins._targets.values()
    assert not (world.twins._jobs or target.jobs or target.waiting or target.blocks or target.sharing)


async def test_a_call_that_the_mirror_makes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.make(1, 1007, 2001)
    fields = ((b"content-type", b"application/json"), (b"content-length", b"18"))
    asked = OwnCall("b/v2", b"POST", b"/payments/2001", fields, True)
    found = world.twins.as_primary(asked, b'{"order_id": 2001}')
    assert found is not None
    told, body = found
    assert (told.path, body, told.has_body) == (b"/payments/2001", b'{"order_id": 1007}', True)
    assert told.translations == (("$.order_id", "1007", "2001", "g1/1"),)
    assert [path for path, _ in told.others] == [b"/payments/1007"]
    assert world.twins.as_primary(asked._replace(label="b/v3"), b"") is None
    told, body = world.twins.as_primary(asked._replace(has_body=False), b"") or found
    assert (told.translations, body) == ((), b"")

    def fails(*_: object) -> None:
        raise ValueError("x")

    monkeypatch.setattr(Twin, "as_primary", fails)
    assert world.twins.as_primary(asked, b"") is None and "please report" in world.logged[0]
