from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.junit import junit
from mirror_addon.compare.report.summary import Summary

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


def cases(summary: Summary, *texts: str) -> dict[tuple[str, str], str | None]:
    """The message of each case's failure, None where it passed."""
    conditions = [parse_condition(text) for text in texts]
    root = ElementTree.fromstring(junit(summary, conditions, list(judge(conditions, summary))))
    found: dict[tuple[str, str], str | None] = {}
    for case in root.iter("testcase"):
        failure = case.find("failure")
        found[case.get("classname", ""), case.get("name", "")] = None if failure is None else failure.get("message")
    for element in (root, *root.iter("testsuite")):
        inside = list(element.iter("testcase"))
        assert element.get("tests") == str(len(inside))
        assert element.get("failures") == str(sum(case.find("failure") is not None for case in inside))
    return found


@pytest.fixture
def summary(line: Record, different: Record, summary_of: Summarise) -> Summary:
    return summary_of(
        *[line(url="http://b/good")] * 99, different("$.a", url="http://b/bad"), line(url="http://b/x", target="b/v3")
    )


V2, V3 = "b/v1 → b/v2", "b/v1 → b/v3"


def test_without_conditions_a_differing_endpoint_fails(summary: Summary) -> None:
    found = cases(summary)
    assert set(found) == {(V2, "GET /good"), (V2, "GET /bad"), (V3, "GET /x")}
    assert found[V2, "GET /good"] is found[V3, "GET /x"] is None
    assert found[V2, "GET /bad"] == "100 % (20.7 % to 100 %) of 1 pair"


def test_nothing_fails_while_no_condition_holds(summary: Summary) -> None:
    found = cases(summary, "differing > 5%")
    assert (V2, "differing > 5%") in found
    assert set(found.values()) == {None}


def test_where_a_condition_holds(summary: Summary) -> None:
    found = cases(summary, "differing > 0.5%")
    assert {name for name, message in found.items() if message} == {(V2, "differing > 0.5%"), (V2, "GET /bad")}
    found = cases(summary, "each differing > 50%")
    assert {name for name, message in found.items() if message} == {(V2, "GET /bad")}


def test_nothing_to_judge_is_a_failure(lost: Record, summary_of: Summarise) -> None:
    found = cases(summary_of(lost("reset")), "differing > 5%")
    message = found[V2, "differing > 5%"]
    assert message is not None and "cannot be judged" in message


def test_details_name_fields_and_an_example(summary: Summary) -> None:
    text = junit(summary, [], []).decode()
    assert "$.a: 100 % of the pairs, e.g. 1 -&gt; 2 in GET http://b/bad (f1/0)" in text


def test_hostile_content_leaves_the_xml_well_formed(hostile_summary: Summary, hostile: str) -> None:
    for texts in ((), ("differing > 0",), ("each differing > 0", "p95 > 1x")):
        found = cases(hostile_summary, *texts)
        assert len(found) == 1 + sum(not text.startswith("each") for text in texts)
        visible = "".join(each for each in hostile if each.isprintable())
        assert all(visible[:10] in target for target, _ in found)


def test_a_record_without_targets(line: Record, summary_of: Summarise) -> None:
    assert cases(summary_of(line(control=True)), "differing > 0") == {}


def test_conditions_on_findings_are_a_suite(summary: Summary) -> None:
    found = cases(summary, "new > 0", "each new > 5")
    assert {name for suite, name in found if suite == "findings"} >= {"new > 0"}
    assert found["findings", "new > 0"]
