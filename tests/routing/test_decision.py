from __future__ import annotations

import pytest

from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Rule


@pytest.mark.parametrize(
    ("virtual_service", "rule", "text"), [("default/a", "http[0]", "default/a http[0]"), ("", "mirror_to", "mirror_to")]
)
def test_the_name_of_a_rule(virtual_service: str, rule: str, text: str) -> None:
    assert str(Rule(virtual_service, rule, "", "")) == text


def test_what_is_ignored_is_the_annotations() -> None:
    assert Rule("", "", "", "").ignore == ""
    assert Rule("", "", "", "", MirrorAnnotations(ignore="$.id")).ignore == "$.id"


def test_a_decision_is_of_its_action_alone() -> None:
    decision = Decision(Action.NOT_FOUND)
    assert (decision.rule, decision.request, decision.mirrors, decision.response_headers) == (None, None, (), ())
    assert f"{decision.action}" == "not_found"
