from __future__ import annotations

import pytest

from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.decision import as_drawn


@pytest.mark.parametrize(
    ("virtual_service", "rule", "text"), [("default/a", "http[0]", "default/a http[0]"), ("", "mirror_to", "mirror_to")]
)
def test_the_name_of_a_rule(virtual_service: str, rule: str, text: str) -> None:
    assert str(Rule(virtual_service, rule, "", "")) == text


def test_what_is_ignored_is_the_annotations() -> None:
    assert Rule("", "", "", "").ignore == ""
    assert Rule("", "", "", "", MirrorAnnotations(ignore="$.id")).ignore == "$.id"


def test_the_twin_is_the_annotations() -> None:
    assert Rule("", "", "", "").twin is None
    assert [Rule("", "", "", "", MirrorAnnotations(twin=each)).twin for each in (True, False)] == [True, False]


def test_a_decision_is_of_its_action_alone() -> None:
    decision = Decision(Action.NOT_FOUND)
    assert (decision.rule, decision.request, decision.mirrors, decision.response_headers) == (None, None, (), ())
    assert f"{decision.action}" == "not_found"


@pytest.mark.parametrize(
    ("address", "sampled", "skipped"),
    [("127.0.0.1", True, None), ("127.0.0.1", False, None), ("", False, "no_endpoint")],
)
def test_a_mirror_as_if_it_was_drawn(address: str, sampled: bool, skipped: str | None) -> None:
    endpoint = Endpoint(address, 9002) if address else None
    mirror = Mirror(
        Cluster("b", "v2", 80, (), label="b/v2"), endpoint, 5, sampled, None if sampled else "percent", None
    )
    drawn = as_drawn(mirror)
    assert (drawn.sampled, drawn.skipped, drawn.endpoint) == (True, skipped, endpoint)
    assert (drawn is mirror) is sampled
