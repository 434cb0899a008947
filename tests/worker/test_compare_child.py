"""The process's work, called here. The process itself is tested with `compare_process`."""

from __future__ import annotations

import pickle
import socket

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.worker import compare_child
from mirror_addon.worker.compare_child import LENGTH
from mirror_addon.worker.compare_child import Child
from mirror_addon.worker.compare_child import Order
from mirror_addon.worker.compare_child import _read
from mirror_addon.worker.compare_child import frame
from mirror_addon.worker.comparison_task import IdArguments
from mirror_addon.worker.comparison_task import Task

JSON = ((b"Content-Type", b"application/json"),)


def task(primary: bytes, shadow: bytes, method: str = "GET", status: int = 200) -> Task:
    one, other = (Answer(status, JSON, body, len(body), 1.0) for body in (primary, shadow))
    url = "http://b/orders"
    return Task(one, other, None, method, url, "", 1.0, 1.0, IdArguments(method, url, url, status == 201, None))


def test_rules_come_once() -> None:
    child = Child()
    ignoring = Rules.parse("rules: [{path: $.a, ignore: true}]", "compare.yaml")
    pair = task(b'{"a":1}', b'{"a":2}')
    assert child.carry_out(Order("b/v2", pair, True, [], 0, DEFAULT_RULES)).comparison.verdict == "different"
    assert child.carry_out(Order("b/v2", pair, False, [], 1, ignoring)).comparison.verdict == "noise"
    assert child.carry_out(Order("b/v2", pair, False, [], 0, None)).comparison.verdict == "different"
    assert child.carry_out(Order("b/v2", pair._replace(ids=None), False, [], 1, None)).comparison.verdict == "noise"


def test_what_is_learned_goes_both_ways() -> None:
    child, here = Child(), NewIds()
    here.posted("order")
    here.stands_for("order", 1001, 57, new=True)
    known = task(b'{"orderId":1001}', b'{"orderId":57}')
    done = child.carry_out(Order("b/v2", known, True, here.snapshot(), 0, DEFAULT_RULES))
    assert (done.comparison.verdict, done.steps) == ("noise", [])
    made = child.carry_out(Order("b/v2", task(b'{"id":1002}', b'{"id":58}', "POST", 201), False, [], 0, None))
    assert made.comparison.verdict == "noise"
    here.replay(made.steps)
    assert here.stands_for("order", 1002, 58, new=False)
    assert child.carry_out(Order("b/v2", known, True, [], 0, None)).comparison.verdict == "different"
    assert child.carry_out(Order("b/v3", known, False, [], 0, None)).comparison.verdict == "different"


def test_a_process_that_has_become_big_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order("b/v2", task(b"{}", b"{}"), True, [], 0, DEFAULT_RULES)
    monkeypatch.setattr(compare_child, "_LARGE_BYTES", 1 << 40)
    assert not Child().carry_out(order).ends
    monkeypatch.setattr(compare_child, "_LARGE_BYTES", 1)
    assert Child().carry_out(order).ends


def test_frames() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        ours.sendall(frame(["a", 1]))
        head = _read(its, LENGTH.size)
        assert head is not None
        body = _read(its, LENGTH.unpack(head)[0])
        assert body is not None and pickle.loads(body) == ["a", 1]
        ours.sendall(b"abc")
        ours.close()
        assert _read(its, 4) is None
