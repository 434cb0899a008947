from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.composing import compose
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.messages import PortSelector
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_export_to
from mirror_addon.istio.values import check_fault_percent
from mirror_addon.istio.values import check_gateway_names
from mirror_addon.istio.values import check_mirror_percent
from mirror_addon.istio.values import check_one_of
from mirror_addon.istio.values import check_port
from mirror_addon.istio.values import check_selector
from mirror_addon.istio.values import is_token
from mirror_addon.istio.values import regex_problem


def found(check: Callable[..., None], *arguments: object) -> list[Diagnostic]:
    findings = Findings(compose("f", b"{}")[0][0].document)
    check(*arguments, findings)
    return findings.diagnostics


@pytest.mark.parametrize("text", [".*", "(?i)a", "a" * 1024, r"\d+\z", r"\\C", r"\Qa\C\E", r"\Q\C"])
def test_regexes(text: str) -> None:
    assert regex_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "an empty regex is refused"),
        ("a" * 1025, "at most 1024 characters, this one has 1025"),
        ("(", "is not an RE2 regex: missing )"),
        ("(?=a)", "is not an RE2 regex"),
        ("*", "is not an RE2 regex"),
        (r"a\C", r"Go has no \C"),
        (r"\\\C", r"Go has no \C"),
        (r"\Qa\E\C", r"Go has no \C"),
    ],
)
def test_regexes_that_istio_refuses(text: str, problem: str) -> None:
    assert problem in str(regex_problem(text))


def test_tokens() -> None:
    assert is_token("X-Mirror_1.a")
    assert not any(map(is_token, ["", "a b", "a:", "ä", "a\n"]))


@pytest.mark.parametrize(
    ("seconds", "problem"),
    [
        (None, ""),
        (0.001, ""),
        (1.5, ""),
        (0.0005, "at least 1ms"),
        (0.0, "at least 1ms"),
        (1.0005, "whole milliseconds"),
    ],
)
def test_durations(seconds: float | None, problem: str) -> None:
    messages = [item.message for item in found(check_duration, seconds, ())]
    assert [problem in message for message in messages] == ([True] if problem else [])


@pytest.mark.parametrize(("number", "good"), [(1, True), (65535, True), (0, False), (65536, False)])
def test_ports(number: int, good: bool) -> None:
    assert (found(check_port, number, ()) == []) is good
    assert (found(check_selector, PortSelector(number=number), ()) == []) is good
    assert found(check_selector, None, ()) == []


@pytest.mark.parametrize(
    ("value", "mirror", "fault"),
    [
        (0, True, True),
        (0.00001, True, False),
        (0.0001, True, True),
        (100, True, True),
        (101, False, False),
        (-1, False, False),
    ],
)
def test_percentages(value: float, mirror: bool, fault: bool) -> None:
    assert (found(check_mirror_percent, Percent(value=value), ()) == []) is mirror
    assert (found(check_fault_percent, Percent(value=value), ()) == []) is fault


def test_members_of_a_oneof() -> None:
    assert found(check_one_of, ["a"], ()) == []
    assert [item.message for item in found(check_one_of, ["a", "b"], ())] == ["only one of a, b may be set; keep one"]


@pytest.mark.parametrize(
    ("export_to", "messages"),
    [
        ([], []),
        ([".", "other"], []),
        (["*"], []),
        (["~"], ["'~' (nobody) is for Services only"]),
        (["UPPER", "Namespace-1"], []),
        (["a_b"], ["'a_b' is not a namespace"]),
        ([".", "ns"], ["'ns' is repeated"]),
        (["*", "a"], ["'*' includes all namespaces"]),
    ],
)
def test_export_to(export_to: list[str], messages: list[str]) -> None:
    said = [item.message for item in found(check_export_to, export_to, "ns", ())]
    assert len(said) == len(messages)
    assert all(text.startswith(message) for text, message in zip(said, messages, strict=True))


@pytest.mark.parametrize(("export_to", "count"), [(["~"], 0), (["~", "a"], 1), (["~", "*"], 2), (["~", "~"], 1)])
def test_export_to_nobody(export_to: list[str], count: int) -> None:
    findings = Findings(compose("f", b"{}")[0][0].document)
    check_export_to(export_to, "ns", (), findings, nobody=True)
    assert len(findings.diagnostics) == count


@pytest.mark.parametrize(
    ("names", "severities"),
    [
        (["mesh"], []),
        (["ns/a", "mesh"], []),
        (["a.ns"], ["warning"]),
        (["a_b"], ["error"]),
        (["NS/a_b"], ["error"]),
        (["NS/Gateway-1"], []),
        (["n_s/a_b"], ["error", "error"]),
        (["mesh", "a_b"], []),
    ],
)
def test_names_of_gateways(names: list[str], severities: list[str]) -> None:
    assert [item.severity for item in found(check_gateway_names, names, ())] == severities
