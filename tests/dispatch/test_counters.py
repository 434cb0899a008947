from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from mirror_addon.dispatch.counters import Counters

labels = st.sampled_from(["serviceB/v2", "serviceB/v3", "other"])
reasons = st.sampled_from(["connect", "queue_full", "timeout"])


class Bookkeeping(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.counters = Counters()
        self.offered: dict[str, int] = {}
        self.pending: list[str] = []

    @rule(label=labels)
    def offer(self, label: str) -> None:
        self.counters.offer(label)
        self.offered[label] = self.offered.get(label, 0) + 1
        self.pending.append(label)

    @precondition(lambda self: self.pending)
    @rule(reason=reasons, end=st.sampled_from(["sent", "fail", "drop"]))
    def settle(self, reason: str, end: str) -> None:
        label = self.pending.pop()
        if end == "sent":
            self.counters.sent(label)
        else:
            getattr(self.counters, end)(label, reason)

    @rule(label=labels | st.just(""), reason=reasons)
    def skip(self, label: str, reason: str) -> None:
        self.counters.skip(label, reason)

    @invariant()
    def the_books_balance(self) -> None:
        numbers = dict(self.counters.items())
        for prefix in ("", *(f"{label}." for label in self.offered)):
            parts = (numbers[prefix + name] for name in ("sent", "failed", "dropped", "pending"))
            assert numbers[f"{prefix}offered"] == sum(parts)
        assert numbers["offered"] == sum(self.offered.values())
        assert numbers["pending"] == len(self.pending)


TestBookkeeping = Bookkeeping.TestCase


def test_text() -> None:
    counters = Counters()
    counters.request()
    counters.request()
    counters.skip("", "upgrade")
    counters.skip("b/v2", "percent")
    for _ in range(4):
        counters.offer("b/v2")
    counters.sent("b/v2")
    counters.fail("b/v2", "timeout")
    counters.drop("b/v2", "queue_full")
    counters.adapt("b/v2", ("obs_fold",))
    own = """offered 4
sent 1
failed 1
failed.timeout 1
dropped 1
dropped.queue_full 1
pending 1
skipped 1
skipped.percent 1
adapted 1
adapted.obs_fold 1
"""
    assert counters.text() == (
        "requests 2\n"
        + own.replace("skipped 1\n", "skipped 2\n").replace("adapted 1", "skipped.upgrade 1\nadapted 1")
        + "".join(f"b/v2.{line}\n" for line in own.splitlines())
    )
