"""The report as JUnit XML, the form in which CI systems read test results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from mirror_addon.compare.report.conditions import ALL_TARGETS
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.conditions import ask
from mirror_addon.compare.report.summary import Field
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import TargetSummary
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import difference_sentence
from mirror_addon.compare.report.wording import loss_sentence
from mirror_addon.compare.report.wording import percent
from mirror_addon.compare.report.wording import share_text
from mirror_addon.compare.report.wording import speed_sentence
from mirror_addon.compare.report.wording import target_name
from mirror_addon.compare.report.wording import value_text
from mirror_addon.display.text import printable

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(summary: Summary, conditions: Sequence[FailCondition], outcomes: Sequence[Outcome]) -> bytes:
    """A target is a test suite, and so are the conditions on findings; an endpoint is a test case, and so is a
    condition on the whole target.

    With conditions, the test cases of conditions that hold or cannot be judged fail, and those of endpoints at which
    such a condition holds. Without conditions, the test cases of endpoints that differ fail.
    """
    root = ElementTree.Element("testsuites", name="mirror-addon report")
    for target in summary.targets:
        _suite(root, target, conditions, [each for each in outcomes if each.target == target_name(target)])
    if of_findings := [each for each in outcomes if each.target == ALL_TARGETS]:
        _conditions(ElementTree.SubElement(root, "testsuite", name="findings"), "findings", of_findings)
    for name in ("tests", "failures"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _suite(
    root: ElementTree.Element, target: TargetSummary, conditions: Sequence[FailCondition], outcomes: Sequence[Outcome]
) -> None:
    name = target_name(target)
    suite = ElementTree.SubElement(root, "testsuite", name=_xml(name))
    broken = [each.condition for each in outcomes if each.failed and not each.endpoint]
    for part in target.endpoints:
        if conditions:
            messages = [str(each) for each in outcomes if each.failed and each.endpoint == printable(part.name)]
            messages += [str(each) for each in (ask(each, name, part) for each in broken) if each.holds]
        else:
            messages = [f"{share_text(part.share)} of {counted(part.compared, 'pair')}"] if part.differing else []
        _case(suite, name, printable(part.name), messages, _details(part))
    _conditions(suite, name, [each for each in outcomes if not each.endpoint])


def _conditions(suite: ElementTree.Element, name: str, outcomes: Sequence[Outcome]) -> None:
    """Add the test cases of conditions, and count those of the suite."""
    for outcome in outcomes:
        text = f"{outcome.condition.text}, {outcome.endpoint}" if outcome.endpoint else outcome.condition.text
        _case(suite, name, text, [str(outcome)] if outcome.failed else [], outcome.found)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in suite)))


def _case(suite: ElementTree.Element, target: str, name: str, messages: Sequence[str], details: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=_xml(target), name=_xml(name))
    if messages:
        failure = ElementTree.SubElement(case, "failure", message=_xml("; ".join(messages)), type="report")
        failure.text = _xml(details)
    else:
        ElementTree.SubElement(case, "system-out").text = _xml(details)


def _details(part: Part) -> str:
    lines = [difference_sentence(part), speed_sentence(part.latency), loss_sentence(part)]
    lines += [_field(each) for each in part.fields]
    return "\n".join(line for line in lines if line)


def _field(field: Field) -> str:
    text = f"{printable(field.path)}: {percent(field.share.value)} of the pairs"
    for example in field.examples[:1]:
        text += f", e.g. {value_text(example.primary)} -> {value_text(example.shadow)}"
        text += f" in {printable(example.method)} {printable(example.url)} ({printable(example.id)})"
    return text


def _xml(text: str) -> str:
    """Replace the characters that XML 1.0 does not allow, not even as character references (section 2.2)."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
