from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from replaytools import one
from replaytools import played

from mirror_addon.captures.entry import Recorded
from mirror_addon.dispatch.counters import Counters
from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.planner import Planned
from mirror_addon.replay.planner import Planner
from mirror_addon.replay.planner import chance
from mirror_addon.replay.setup import Setup

OLD = ((b"x-a", b"old"), (b"X-B", b"kept"), (b"X-A", b"older"))
MakeSetup = Callable[..., Setup]


class Planning:
    """A planner with its counters."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup  # it holds the table, to which an exchange has a weak reference only
        self.counters = Counters()
        self.planner: Planner = setup.planner(self.counters)

    def __call__(self, path: bytes = b"/a", **changes: object) -> Planned:
        recorded = one("a", 0.0)
        recorded.request.path = path
        recorded.request.authority = b"shop.example"
        recorded.flow.request.path = path.decode()
        for name, value in changes.items():
            setattr(recorded, name, value)
        return self.planner.plan(next(played(recorded)))

    @property
    def skipped(self) -> dict[str, int]:
        return dict(self.counters.totals().skipped)


def test_shadows_are_numbered_and_have_the_suffix_and_the_deadline(setup: MakeSetup) -> None:
    planning = Planning(setup(7, "mirror_host_suffix=-copy", "mirror_timeout=3s"))
    ((shadow, control),) = planning().shadows
    assert (shadow.authority, shadow.timeout, control) == (b"shop.example-copy", 3.0, False)
    assert (shadow.target.address, shadow.target.port) == ("127.0.0.1", 7)
    assert planning.counters.requests == 1


def test_a_mirror_to_the_primarys_destination_is_a_control(setup: MakeSetup) -> None:
    made = setup(7, "mirror_endpoints=two.example=127.0.0.1:9")
    assert [control for _, control in Planning(made)().shadows] == [True]


@pytest.mark.parametrize(("draw", "count"), [(0, 1), (999_999, 0)])
def test_the_draw_given_wins_over_the_recorded_one(setup: MakeSetup, draw: int, count: int) -> None:
    assert len(Planning(setup(draw=draw))(b"/half", draw=999_999 - draw).shadows) == count


@pytest.mark.parametrize(("draw", "count"), [(0, 1), (999_999, 0)])
def test_the_recorded_draw_wins_over_the_seed(setup: MakeSetup, draw: int, count: int) -> None:
    assert [len(Planning(setup(seed=seed))(b"/half", draw=draw).shadows) for seed in range(5)] == [count] * 5


def test_all_mirrors_even_those_without_an_endpoint(setup: MakeSetup) -> None:
    planning = Planning(setup(all_mirrors=True))
    assert len(planning(b"/a").shadows) == 2
    assert planning.skipped == {}
    assert planning(b"/nowhere").shadows == []
    assert planning.skipped == {"no_endpoint": 1}


def test_the_annotation_when_decides_with_the_recorded_flow(setup: MakeSetup) -> None:
    planning = Planning(setup())
    assert planning(b"/private").shadows == []
    assert planning.skipped == {"when": 1, "percent": 1}


def test_a_request_without_a_rule_has_no_shadow(setup: MakeSetup) -> None:
    planning = Planning(setup())
    recorded: Recorded = one("a", 0.0)
    recorded.request.authority = b"other.example"
    assert planning.planner.plan(next(played(recorded))).shadows == []


def test_headers_replace_fields_and_the_authority(setup: MakeSetup) -> None:
    planning = Planning(setup(headers=((b"X-A", b"new"), (b"Host", b"v2.example"))))
    ((shadow, _),) = planning(request=replace(one("a", 0.0).request, authority=b"shop.example", headers=OLD)).shadows
    assert shadow.authority == b"v2.example"
    assert [value for name, value in shadow.headers if name.lower() in (b"x-a", b"x-b")] == [b"kept", b"new"]


def test_redacted_fields_are_counted_unless_they_are_given(setup: MakeSetup) -> None:
    planning = Planning(setup(headers=((b"cookie", b"a=b"),)))
    planning(redacted=("Authorization", "Cookie"))
    planning(redacted=("authorization",))
    planning(b"/private", redacted=("Authorization",))
    assert planning.planner.blanked == {"authorization": 2}, "a request without a shadow sends nothing"


def test_chance_depends_on_seed_turn_and_purpose_alone() -> None:
    first, second = played(one("a", 0.0), one("b", 1.0))
    draws = {
        (seed, turn.number, of): chance(seed, turn, of).random()
        for seed in (1, 2)
        for turn in (first, second)
        for of in ("draw", "faults")
    }
    assert len(set(draws.values())) == 8
    assert draws[1, 0, "draw"] == chance(1, first, "draw").random()


def test_no_faults_by_default(setup: MakeSetup) -> None:
    assert setup().choices.faults == Faults()
