from __future__ import annotations

from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.subject import Subject
from mirror_addon.twin.requests import MAX_BODY
from mirror_addon.twin.twin_map import Entry
from mirror_addon.worker.job import Job
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.twin_job import TargetTwin
from mirror_addon.worker.twin_job import TwinJob

JSON = (b"Content-Type", b"application/json")


def twin_job(body: bytes, whole: bool = True, headers: tuple[tuple[bytes, bytes], ...] = (JSON,)) -> TwinJob:
    head = Head(b"POST", b"b", b"/orders/7", headers, 30.0, 0, 0, 0)
    subject = Subject("g", 0.0, "r", None, False, False, "POST", "http://b/", 1, "c", twin=True)
    return TwinJob(Job(1, pack(head), body, whole), PendingPair(1, "g/1", "b/v2", subject), TargetTwin(), b"t", 1)


def test_the_request_with_the_mirror_s_values() -> None:
    made = twin_job(b'{"order_id": 7}', headers=(JSON, (b"content-length", b"15")))
    made.twin.twin.map.learn(("id", "order", "7"), "", Entry("2001", "p"))
    head = made.head
    made.ask(head, made.twin.twin.read(made.call(head), "c", 1), given_up=False)
    assert (made.head.path, made.head.headers[1]) == (b"/orders/2001", (b"content-length", b"18"))
    assert made.job.body == b"".join(made.job.chunks) == b'{"order_id": 2001}'
    assert made.adapted == ("twin",)
    assert made.request == (b"/orders/2001", made.head.headers, b'{"order_id": 2001}')


def test_nothing_is_changed_where_nothing_is_known() -> None:
    made = twin_job(b"{}")
    packed, head = made.job.request, made.head
    made.ask(head, made.twin.twin.read(made.call(head), "c", 1), given_up=True)
    assert made.job.request is packed
    assert (made.adapted, made.request, made.pair.translations) == (("twin_missing",), None, ())


def test_which_bodies_are_arriving() -> None:
    assert twin_job(b"{", whole=False).is_arriving(twin_job(b"").head)
    assert not twin_job(b"{}").is_arriving(twin_job(b"").head)
    assert not twin_job(b"x" * (MAX_BODY + 1), whole=False).is_arriving(twin_job(b"").head)
    assert not twin_job(b"x", whole=False).is_arriving(twin_job(b"", headers=()).head)


def test_bodies_that_are_not_read() -> None:
    assert twin_job(b"x", whole=False).call(twin_job(b"").head).body is None
    assert twin_job(b"x" * (MAX_BODY + 1)).call(twin_job(b"").head).body is None
    assert twin_job(b"x").call(twin_job(b"").head).body == b"x"
