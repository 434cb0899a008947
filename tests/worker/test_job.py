from __future__ import annotations

import asyncio

import pytest

from mirror_addon.worker.job import Body
from mirror_addon.worker.job import Job


def a_job(body: bytes = b"", complete: bool = False) -> Job:
    return Job(1, b"", body, complete)


async def until_waiting(job: Job) -> None:
    async with asyncio.timeout(10):
        while job.wake is None or job.wake.done():
            await asyncio.sleep(0)


async def test_a_body_is_passed_on_as_it_arrives_and_credited() -> None:
    credited: list[int] = []
    job = a_job(b"first")
    body = Body(job, lambda _, size: credited.append(size))
    reading = asyncio.ensure_future(collect(body))
    await until_waiting(job)
    assert credited == [5]
    job.more(b"second part", False)
    await until_waiting(job)
    job.more(b"", True)
    assert await reading == [b"first", b"second part"]
    assert credited == [5, 11]
    assert job.completed_at > 0


async def collect(body: Body) -> list[bytes]:
    return [chunk async for chunk in body]


async def test_a_complete_body_does_not_wait() -> None:
    assert await collect(Body(a_job(b"all", True), lambda *_: None)) == [b"all"]
    assert await collect(Body(a_job(b"", True), lambda *_: None)) == []


async def test_the_deadline_is_suspended_while_the_client_uploads() -> None:
    job = a_job()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60) as job.deadline:
        before = job.deadline.when()
        assert before is not None
        waiting = asyncio.ensure_future(job.wait())
        await until_waiting(job)
        assert job.deadline.when() is None
        suspended = loop.time()
        while loop.time() - suspended < 0.01:
            await asyncio.sleep(0.001)
        job.more(b"x", False)
        await waiting
        after = job.deadline.when()
        assert after is not None
        assert after - before >= 0.009


async def test_an_abort_ends_a_job_that_waits_for_its_body() -> None:
    job = a_job()

    async def send() -> None:
        async with asyncio.timeout(60) as job.deadline:
            asyncio.get_running_loop().call_soon(job.abort, "shutdown")
            await job.wait()

    with pytest.raises(TimeoutError):
        await send()
    assert (job.aborted, job.reason) == (True, "shutdown")
    job.abort("again")  # its deadline has expired already


async def test_an_abort_ends_a_job_that_begins_to_wait_before_the_deadline_strikes() -> None:
    """The part before is still being sent when the abort arrives: the lane comes to `wait` in the same turn."""
    job = a_job()

    async def send() -> None:
        async with asyncio.timeout(30) as job.deadline:
            job.abort("aborted")
            await job.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await send()
    assert job.deadline is not None and job.deadline.expired()


async def test_a_part_that_arrives_after_an_abort_does_not_restart_the_deadline() -> None:
    job = a_job()

    async def send() -> None:
        async with asyncio.timeout(60) as job.deadline:
            waiting = asyncio.ensure_future(job.wait())
            await until_waiting(job)
            job.abort("shutdown")
            job.more(b"x", True)
            await waiting
            await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        await send()


async def test_without_a_deadline_it_waits_as_well() -> None:
    job = a_job()
    waiting = asyncio.ensure_future(job.wait())
    await until_waiting(job)
    job.abort("shutdown")
    job.more(b"x", True)
    await waiting
    assert list(job.chunks) == [b"x"]
