"""The book of shadows in flight: every shadow from its admission until everybody has been told of its end. Pure.

Theory of operation. A mirrored request is a `Primary`; each of its copies is a `Shadow`. Both exist once, here, in the
proxy's process. A shadow is always in exactly one state:

    ADMITTED   counted as `offered`; in a batch, in the queue, in the pipe, or being sent by a worker
    SENT       the mirror's response is complete
    FAILED     it was tried, and there is no complete response
    DROPPED    it was not tried, or given up on this side
    JUDGED     the comparison has ended, or there is none to wait for
    TOLD       the primary's response is there too: observers of pairs have been called

`STEPS` lists the allowed steps; any other raises `IllegalStep`. Two things run beside the states: `in_worker` says that
a worker still holds bytes of the shadow (one that was given up stays there until the worker confirms it), and
`Primary.answered` says that the primary has its response or will get none.

The counters balance by construction: `offered = sent + failed + dropped + pending`, where `pending` is the number of
shadows in ADMITTED. `InFlight.check` compares both sides of that, for tests.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

from mirror_addon.dispatch.counters import Counters
from mirror_addon.dispatch.counters import TargetCounters
from mirror_addon.shadow.result import ShadowResult

if TYPE_CHECKING:
    from mirror_addon.compare.calls import Call
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.dispatch.worker_link import WorkerLink
    from mirror_addon.shadow.frames import PrimaryAnswer
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.request import Target
    from mirror_addon.shadow.subject import Subject

logger = logging.getLogger(__name__)


class State(enum.StrEnum):
    """Where a shadow is on its way."""

    ADMITTED = "admitted"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"
    JUDGED = "judged"
    TOLD = "told"


STEPS: dict[State, frozenset[State]] = {
    State.ADMITTED: frozenset({State.SENT, State.FAILED, State.DROPPED}),
    State.SENT: frozenset({State.JUDGED}),
    State.FAILED: frozenset({State.JUDGED}),
    State.DROPPED: frozenset({State.JUDGED}),
    State.JUDGED: frozenset({State.TOLD}),
    State.TOLD: frozenset(),
}
"""The allowed steps."""

OUTCOMES = STEPS[State.ADMITTED]


class IllegalStep(RuntimeError):
    """A shadow was to go from one state to another that does not follow it: a fault of this program."""


class Primary:
    """A mirrored request: what its shadows share, and what they wait for.

    Subclasses say what is done with a finished shadow (`told`).
    """

    __slots__ = ("answer", "answer_is_sent", "answered", "id", "link", "shadows", "subject", "uncontrolled")

    def __init__(self, id: str, subject: Subject | None = None) -> None:
        self.id = id
        """Of the flow. Workers pair shadows and responses by it."""
        self.subject = subject
        """What the record says of the request; None: its shadows are neither compared nor recorded."""
        self.shadows: list[Shadow] = []
        """Those that are not TOLD."""
        self.answered = False
        """The primary has its response, or will get none."""
        self.link: WorkerLink | None = None
        """The worker of all its shadows, where they are compared."""
        self.answer: PrimaryAnswer | None = None
        """The primary's response without header and body, once a worker was told of it."""
        self.answer_is_sent = False
        """The worker was told after the newest of the shadows was begun."""
        self.uncontrolled = False
        """Its control was dropped, so no comparison should wait for that."""

    def told(self, shadow: Shadow) -> None:
        """`shadow` is TOLD: its outcome, its comparison and the primary's response are known. Called once for each."""


class Shadow:
    """One copy of a request."""

    __slots__ = (
        "again", "calls", "comparison", "control", "cost", "counts", "id", "in_worker", "label", "link", "number",
        "primary",
        "probe", "result", "state", "subject", "target", "view",
    )  # fmt: skip

    def __init__(self, number: int, label: str, primary: Primary, counts: TargetCounters, control: bool) -> None:
        self.number = number
        """Names it in the frames of the pipe."""
        self.id = f"{primary.id}/{number}"
        self.label = label
        """Of its mirror, `serviceB/v2`."""
        self.primary = primary
        self.control = control
        """It goes to the primary's own destination."""
        self.state = State.ADMITTED
        self.counts = counts
        self.subject: Subject | None = None
        """None: not compared, not recorded."""
        self.target: Target | None = None
        self.link: WorkerLink | None = None
        self.in_worker = False
        """A worker holds bytes of it."""
        self.cost = 0
        """Bytes that it occupies in the queue."""
        self.probe = False
        """The circuit breaker lets it through to see whether the mirror is back."""
        self.result: ShadowResult | None = None
        """From its outcome on."""
        self.comparison: Comparison | None = None
        self.calls: tuple[Call, ...] = ()
        """Those of its mirror to other services."""
        self.view: Any = None
        """What a view needs to show it as a flow."""
        self.again: tuple[ShadowRequest, bytes] | None = None
        """Itself and its body, where it may be sent once more (`mirror_rerun`)."""

    def step(self, to: State) -> None:
        """Go to another state. Raises IllegalStep."""
        if to not in STEPS[self.state]:
            raise IllegalStep(f"shadow {self.id}: from {self.state} to {to}")
        self.state = to


class ShadowObserver(Protocol):
    """Is told of the outcome of each shadow, once, in the proxy's event loop; must return quickly."""

    def outcome(self, shadow: Shadow) -> None: ...


class InFlight:
    """All shadows and primaries of a run. Dispatchers come and go with the options; the book stays."""

    def __init__(self, counters: Counters | None = None) -> None:
        self.counters = counters if counters is not None else Counters()
        self.observers: list[ShadowObserver] = []
        self.primaries: dict[str, Primary] = {}
        """Those with shadows that are not TOLD, by id."""
        self.shadows: dict[int, Shadow] = {}
        """Those that a frame may still name: a worker holds them, or owes a verdict."""
        self.number = 0
        """The newest number of a frame."""

    def next_number(self) -> int:
        """A number that no other frame has."""
        self.number += 1
        return self.number

    def admit(
        self,
        primary: Primary,
        label: str,
        *,
        control: bool = False,
        controlled: bool = False,
        counts: TargetCounters | None = None,
    ) -> Shadow:
        """A shadow of `primary` for the mirror called `label` should be sent: it counts as offered from now on.

        `controlled`: another shadow of the primary is its control, for which the comparison waits.
        `counts`: where it is counted instead of its target's counters.
        """
        if counts is None:
            counts = self.counters.of(label)
        counts.pending += 1
        self.number = number = self.number + 1
        shadow = self.shadows[number] = Shadow(number, label, primary, counts, control)
        if primary.subject is not None:
            shadow.subject = primary.subject._replace(control=control, controlled=controlled and not control)
        if not primary.shadows:
            self.primaries[primary.id] = primary
        primary.shadows.append(shadow)
        return shadow

    def end(self, shadow: Shadow, outcome: State, result: ShadowResult) -> None:
        """ADMITTED -> `outcome`. A shadow that is not compared is JUDGED at once."""
        shadow.step(outcome)
        shadow.result = result
        counts = shadow.counts
        counts.pending -= 1
        for what in result.adapted:  # Counter.update costs 2 us even for nothing
            counts.adapted[what] += 1
        if outcome is State.SENT:
            counts.sent += 1
        elif outcome is State.FAILED:
            counts.failed[result.reason] += 1
        else:
            counts.dropped[result.reason] += 1
        for observer in self.observers:
            try:
                observer.outcome(shadow)
            except Exception as error:  # an observer must not keep shadows from being counted
                logger.warning("mirror: %s: %s: %s", type(observer).__name__, type(error).__name__, error)
        if shadow.subject is None:
            self.judge(shadow, None)

    def judge(self, shadow: Shadow, comparison: Comparison | None) -> None:
        """SENT, FAILED or DROPPED -> JUDGED, and on to TOLD where the primary has its response."""
        shadow.step(State.JUDGED)
        shadow.comparison = comparison
        if not shadow.in_worker:
            del self.shadows[shadow.number]
        if shadow.primary.answered:
            self._tell(shadow)

    def release(self, shadow: Shadow) -> None:
        """The worker holds nothing of it any more."""
        shadow.in_worker = False
        if shadow.state is State.JUDGED or shadow.state is State.TOLD:
            del self.shadows[shadow.number]

    def answered(self, primary: Primary) -> None:
        """The primary has its response, or will get none: its shadows that are JUDGED are TOLD."""
        primary.answered = True
        for shadow in [shadow for shadow in primary.shadows if shadow.state is State.JUDGED]:
            self._tell(shadow)

    def _tell(self, shadow: Shadow) -> None:
        shadow.step(State.TOLD)
        primary = shadow.primary
        primary.shadows.remove(shadow)
        if not primary.shadows:
            del self.primaries[primary.id]
        try:
            primary.told(shadow)
        except Exception as error:
            logger.warning("mirror: a pair was not shown: %s: %s", type(error).__name__, error)

    def forget(self) -> None:
        """The run is over: drop what is left. Its primaries never got a response, so nobody is told of the pairs."""
        self.primaries.clear()
        self.shadows.clear()

    def unjudged(self) -> Iterator[Shadow]:
        """The shadows that wait for a verdict, or will."""
        for shadow in self.shadows.values():
            if shadow.subject is not None and shadow.state is not State.JUDGED and shadow.state is not State.TOLD:
                yield shadow

    def check(self) -> None:
        """Raise AssertionError unless the counters and the shadows agree. For tests."""
        totals = self.counters.totals()
        admitted = [shadow for shadow in self.shadows.values() if shadow.state is State.ADMITTED]
        totals.add(self.counters.rerun)
        assert totals.pending == len(admitted), (totals.pending, len(admitted))
        assert totals.offered == totals.sent + totals.failed.total() + totals.dropped.total() + len(admitted)
        for primary in self.primaries.values():
            assert primary.shadows, f"{primary.id} has no shadows"
            assert all(shadow.state is not State.TOLD for shadow in primary.shadows)
        for number, shadow in self.shadows.items():
            assert number == shadow.number
            over = shadow.state is State.JUDGED or shadow.state is State.TOLD
            assert shadow.in_worker or not over, f"shadow {shadow.id} is {shadow.state} and still in the book"
