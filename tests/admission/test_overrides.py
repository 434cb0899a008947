from __future__ import annotations

from mirror_addon.admission.overrides import Overrides
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import NEVER
from mirror_addon.routing.fractions import from_integer

PLAIN = Rule("default/a", "http[0]", "", "a.yaml:8")
NAMED = Rule("default/a", "http[1]", "checkout", "a.yaml:12")
V2 = Endpoint("127.0.0.1", 9002)


def decision(
    rule: Rule | None = PLAIN,
    *,
    sampled: bool = True,
    skipped: str | None = None,
    number: int | None = None,
    endpoint: Endpoint | None = V2,
) -> Decision:
    cluster = Cluster("b", "v2", 80, (V2,), label="b/v2")
    mirror = Mirror(cluster, endpoint, 100, sampled, skipped, number=number)
    return Decision(Action.ROUTE, rule, mirrors=(mirror,))


def applied(overrides: Overrides, made: Decision, draw: int = 0) -> tuple[float, bool, str | None]:
    overrides.apply(made, draw)
    (mirror,) = made.mirrors
    return mirror.percent, mirror.sampled, mirror.skipped


def test_nothing_is_overridden_at_first() -> None:
    overrides = Overrides()
    assert not overrides and overrides.lines() == [] and overrides.of(PLAIN) is None
    assert applied(overrides, decision()) == (100, True, None)


def test_a_pause_is_one_rules_own() -> None:
    overrides = Overrides()
    overrides.pause([PLAIN])
    assert overrides
    assert applied(overrides, decision()) == (100, True, "paused")
    assert applied(overrides, decision(NAMED)) == (100, True, None)
    assert applied(overrides, decision(None)) == (100, True, None)
    assert applied(overrides, decision(sampled=False)) == (100, False, None)
    assert applied(overrides, decision(skipped="local_reply")) == (100, True, "local_reply")
    overrides.resume([PLAIN])
    assert not overrides


def test_another_percentage_with_the_same_draw() -> None:
    overrides = Overrides()
    overrides.percent([PLAIN], from_integer(5))
    assert applied(overrides, decision(), 4) == (5, True, None)
    assert applied(overrides, decision(), 5) == (5, False, None)
    assert applied(overrides, decision(sampled=False), 4) == (5, True, None)
    assert applied(overrides, decision(sampled=False, endpoint=None), 4) == (5, True, "no_endpoint")
    assert applied(overrides, decision(skipped="no_endpoint", endpoint=None), 5) == (5, False, None)
    assert overrides.lines() == ["default/a http[0]: 5 % of the requests"]
    overrides.pause([PLAIN])
    assert overrides.lines() == ["default/a http[0]: paused, 5 % of the requests"]
    assert overrides.paused() == [PLAIN]
    overrides.percent([PLAIN], None)
    overrides.resume([PLAIN])
    assert not overrides


def test_users_stay_in_by_their_number() -> None:
    overrides = Overrides()
    overrides.percent([PLAIN], from_integer(50))
    assert applied(overrides, decision(number=2**62), 99) == (50, True, None)
    assert applied(overrides, decision(number=2**63), 0) == (50, False, None)
    overrides.percent([PLAIN], NEVER)
    assert applied(overrides, decision(number=0), 0) == (0, False, None)


def test_they_outlive_a_reload_that_keeps_the_rule() -> None:
    overrides = Overrides()
    overrides.pause([PLAIN, NAMED])
    moved = Rule("default/a", "http[5]", "checkout", "a.yaml:40")
    assert overrides.keep([moved]) == ["default/a http[0]: paused"]
    assert overrides.lines() == ["default/a http[5]: paused"]
    assert applied(overrides, decision(moved)) == (100, True, "paused")
    assert overrides.keep([]) == ["default/a http[5]: paused"]
    assert not overrides
