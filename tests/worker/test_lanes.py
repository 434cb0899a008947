"""Connections and lanes: when they are opened, used again, and closed."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import Any

from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.request import Target
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Job
from mirror_addon.worker.lanes import IDLE_SECONDS
from mirror_addon.worker.lanes import PATIENCE_SECONDS
from mirror_addon.worker.lanes import TargetLanes


class World:
    """The lanes of one target, and the reports of its shadows."""

    def __init__(self, port: int, concurrency: int) -> None:
        self.reports: dict[int, Report] = {}
        target = Target("b/v2", "127.0.0.1", port, False, "b", None)
        self.lanes = TargetLanes(target, concurrency, self._done, lambda *_: None, Budget(0))

    async def _done(self, job: Job, report: Report, body: bytes) -> None:
        self.reports[job.number] = report

    def submit(self, number: int) -> Job:
        job = Job(number, pack((b"GET", b"b", b"/%d" % number, (), 30.0, 0, 1000, 0)), b"", True)
        self.lanes.submit(job)
        return job

    async def end(self, until: Any) -> None:
        self.lanes.sweep(float("inf"))
        await until(lambda: not self.lanes._tasks)


async def test_connections_are_used_again(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    first = await made.one(port)
    assert first.connect_ms is not None
    for _ in range(5):
        assert (await made.one(port)).connect_ms is None
    assert mirrors.connections == 1


async def test_a_connection_that_the_mirror_closed_is_not_used_again(mirrors: Any, engine: Any) -> None:
    """Keep-alive promised and not kept: no shadow is lost by it."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mirrors.received.append(await mirrors.read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    made = engine()
    port = await mirrors.start(once)
    for number in range(1, 11):
        assert (await made.one(port)).outcome == "sent"
        await asyncio.sleep(0.01)
        assert mirrors.connections == number
    assert len(mirrors.received) == 10


async def test_idle_lanes_close(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    await made.one(port)

    def lanes() -> Any:
        gauges = made.dispatcher.status()["targets"].get("serviceB/v2")
        return gauges and gauges["upstream_cx_active"]["value"]

    await made.until(lambda: lanes() == 1)
    await made.until(lambda: lanes() == 0)
    assert (await made.one(port)).connect_ms is not None


async def test_without_file_descriptors(mirrors: Any, engine: Any) -> None:
    hung, healthy = await mirrors.hanging(), await mirrors.answering()
    made = engine()
    assert (await made.one(healthy, label="healthy")).outcome == "sent"
    (pid,) = made.pids()
    used = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    third_free = [number for number in range(100) if number not in used][2]
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (third_free, limit[1]))
    for _ in range(4):
        made.offer(hung, label="hung")
    await made.wait(2)
    assert (made.results[-1].outcome, made.results[-1].reason) == ("dropped", "unsendable")
    assert "Too many open files" in made.results[-1].detail
    assert (await made.one(healthy, label="healthy")).outcome == "sent"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    assert (await made.one(await mirrors.answering(), label="other")).outcome == "sent"
    assert made.pids() == [pid]


async def test_shadows_wait_in_their_order_and_aborted_ones_are_left_out(mirrors: Any) -> None:
    world = World(await mirrors.answering(), 1)
    jobs = [world.submit(number) for number in range(1, 6)]
    assert [job.started for job in jobs] == [True, False, False, False, False]
    assert world.lanes.numbers() == ("b/v2", 1, 1, 4)
    jobs[2].abort("aborted")
    await mirrors.until(lambda: len(world.reports) == 4)
    assert list(world.reports) == [1, 2, 4, 5]
    assert [received.head.split()[1] for received in mirrors.received] == [b"/1", b"/2", b"/4", b"/5"]
    assert mirrors.connections == 1
    await mirrors.until(lambda: world.lanes.numbers() == ("b/v2", 1, 0, 0))
    await world.end(mirrors.until)
    assert world.lanes.numbers() == ("b/v2", 0, 0, 0)


async def test_a_shadow_that_is_aborted_before_its_lane_runs_is_not_sent(mirrors: Any) -> None:
    world = World(await mirrors.answering(), 1)
    world.submit(1).abort("shutdown")
    await mirrors.until(lambda: world.reports)
    assert (world.reports[1].error, mirrors.connections) == ("shutdown", 0)
    await world.end(mirrors.until)


async def test_a_flush_returns_what_waits(mirrors: Any) -> None:
    world = World(await mirrors.hanging(), 1)
    first, second, third = (world.submit(number) for number in (1, 2, 3))
    second.abort("aborted")
    assert world.lanes.flush() == [third]
    assert world.lanes.flush() == []
    await mirrors.until(lambda: mirrors.connections == 1)
    first.abort("shutdown")
    await mirrors.until(lambda: world.reports)
    assert world.reports[1].error == "shutdown"
    await world.end(mirrors.until)


async def test_the_lane_that_was_busy_last_is_taken_first_and_old_ones_close(mirrors: Any) -> None:
    world = World(await mirrors.answering(), 2)
    world.submit(1)
    world.submit(2)
    await mirrors.until(lambda: len(world.lanes.idle) == 2)
    old, new = world.lanes.idle
    world.submit(3)
    await mirrors.until(lambda: len(world.reports) == 3 and len(world.lanes.idle) == 2)
    assert world.lanes.idle == [old, new]
    world.lanes.sweep(old.idle_since + IDLE_SECONDS)
    assert world.lanes.idle in ([new], [])  # the clock is coarse: both may have become idle at the same time
    assert old not in world.lanes.lanes
    await world.end(mirrors.until)


async def test_slow_uploads_leave_lanes_to_others(mirrors: Any, engine: Any) -> None:
    """Uploads that stall hold three of four lanes; a request with its whole body is sent beside them."""
    port = await mirrors.answering()
    made = engine(concurrency=4)
    uploads = [made.open(made.shadow(port, None)) for _ in range(12)]
    for upload in uploads:
        upload.write(b"a")
    await made.until(lambda: mirrors.connections == 3)
    assert (await made.one(port)).outcome == "sent"
    uploads[-1].end()  # one that waited for a lane is complete
    await made.wait(2)
    for upload in uploads:
        upload.abort("client_gone")


async def test_the_slowest_uploads_give_their_lanes_up_when_others_wait() -> None:
    async def done(job: Job, report: Report, body: bytes) -> None: ...

    target = Target("b/v2", "127.0.0.1", 1, False, "", None)
    lanes = TargetLanes(target, 4, done, lambda *_: None, Budget(0))
    now = asyncio.get_running_loop().time()
    jobs = [Job(number, b"", b"", False) for number in range(5)]
    for number, job in enumerate(jobs[:3]):
        job.waited = PATIENCE_SECONDS + number
        job.deadline = asyncio.Timeout(None)
        lanes.uploads.append(job)
        lanes._take(lanes.uploads)
    lanes.sweep(now)
    assert not any(job.aborted for job in jobs)  # nothing waits
    lanes.uploads.append(jobs[3])
    jobs[0].deadline = jobs[1].deadline = jobs[2].deadline = None
    lanes.sweep(now)
    assert [job.aborted for job in jobs] == [False, False, True, False, False]
    assert jobs[2].reason == "slow_upload"
    lanes.ended(jobs[2])
    assert lanes._queue() is lanes.uploads
    assert {job.number for job in lanes.flush()} == {3}
    assert lanes.over
