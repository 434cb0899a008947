from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.dispatch.counters import Counters
from mirror_addon.host.shadow_hook import ShadowHook
from mirror_addon.mirroring.scripted import LateUpload
from mirror_addon.mirroring.scripted import ScriptedShadows
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Mirror
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target


def shadow(label: str) -> tuple[Mirror, ShadowRequest]:
    target = Target(label, "127.0.0.1", 9, False, "b", None)
    request = ShadowRequest(target, b"GET", b"b.test-shadow", b"/", ((b"content-length", b"0"),), 30.0)
    return Mirror(Cluster("b", label, 80, (), label=label), None, 100, True, None), request


class Script:
    name = "script"

    def __init__(self, does: Any) -> None:
        self.mirror_shadow = does


async def edit(does: Any, *labels: str, timeout: float = 30.0) -> tuple[list[str], dict[str, int]]:
    """The labels of the shadows that are sent, and the counters."""
    counters = Counters()
    with taddons.context() as context:
        context.master.addons.add(Script(does))
        scripted = ScriptedShadows(ShadowHook(context.master.addons), counters)
        assert scripted.wanted()
        shadows = [shadow(label) for label in labels]
        sent = await scripted.edit(tflow.tflow(), shadows, b"", "rule", timeout)
    return [each.request.target.label for each in sent], {k: v for k, v in counters.items() if v and "script" in k}


async def test_each_mirror_has_its_call() -> None:
    seen = []

    def does(flow: http.HTTPFlow) -> None:
        seen.append(flow.metadata["mirror_target"])
        if flow.metadata["mirror_target"] == "v3":
            flow.kill()

    assert await edit(does, "v2", "v3", "v4") == (["v2", "v4"], {"skipped.script": 1, "v3.skipped.script": 1})
    assert seen == ["v2", "v3", "v4"]


async def test_a_shadow_whose_script_failed_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    def does(flow: http.HTTPFlow) -> None:
        raise LookupError("no token")

    assert await edit(does, "v2", "v3") == (
        [],
        {"skipped.script_error": 2, "v2.skipped.script_error": 1, "v3.skipped.script_error": 1},
    )
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert "mirror_shadow of a script failed: LookupError: no token" in record.getMessage()


async def test_a_script_that_never_ends() -> None:
    async def does(flow: http.HTTPFlow) -> None:
        await asyncio.get_running_loop().create_future()

    assert (await edit(does, "v2", timeout=0.01))[1]["skipped.script_error"] == 1


async def test_without_a_script_nothing_is_wanted() -> None:
    with taddons.context() as context:
        assert not ScriptedShadows(ShadowHook(context.master.addons), Counters()).wanted()


async def test_at_the_end_scripts_are_waited_for_and_then_cancelled() -> None:
    ended = []

    async def work(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            ended.append("in time")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with taddons.context() as context:
        scripted = ScriptedShadows(ShadowHook(context.master.addons), Counters())
        scripted.start(work(0.01))
        scripted.start(work(1000))
        await scripted.close(0.2)
        await scripted.close(0.2)
    assert ended == ["in time", "cancelled"]


class Queue:
    def __init__(self, room: int) -> None:
        self.room = room

    def reserve(self, size: int) -> bool:
        fits = size <= self.room
        self.room -= size if fits else 0
        return fits

    def release(self, size: int) -> None:
        self.room += size


class Sink:
    def __init__(self) -> None:
        self.got: list[object] = []

    def write(self, chunk: bytes) -> None:
        self.got.append(chunk)

    def end(self, trailers: object = ()) -> None:
        self.got.append("end")

    def abort(self, reason: str = "aborted") -> None:
        self.got.append(reason)


def late(room: int = 10_000, most: int = 100) -> tuple[LateUpload, Queue, Sink]:
    queue = Queue(room)
    return LateUpload(queue, most), queue, Sink()  # type: ignore[arg-type]


@pytest.mark.parametrize("passed_after", range(4))
def test_a_body_arrives_whenever_the_script_is_done(passed_after: int) -> None:
    upload, queue, sink = late()
    calls = [lambda: upload.write(b"one"), lambda: upload.write(b"two"), upload.end]
    calls.insert(passed_after, lambda: upload.pass_to([sink]))
    for call in calls:
        call()
    assert sink.got == [b"one", b"two", "end"]
    assert (queue.room, upload.problem) == (10_000, "")


@pytest.mark.parametrize(("room", "most", "problem"), [(0, 100, "queue_full"), (10_000, 4, "body_too_large")])
def test_what_is_kept_has_limits(room: int, most: int, problem: str) -> None:
    upload, queue, _ = late(room, most)
    upload.write(b"abc")
    upload.write(b"def")
    upload.write(b"ghi")
    upload.end()
    upload.abort()
    assert (upload.problem, queue.room) == (problem, room)


@pytest.mark.parametrize("before", [True, False])
def test_an_aborted_body(before: bool) -> None:
    upload, queue, sink = late()
    upload.write(b"part")
    if not before:
        upload.pass_to([sink])
    upload.abort()
    assert (upload.problem, sink.got) == (("aborted", []) if before else ("", [b"part", "aborted"]))
    assert queue.room == 10_000
