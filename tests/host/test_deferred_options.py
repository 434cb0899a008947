from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.host.deferred_options import convert_deferred


class FromSet:
    """As mitmproxy wraps the values of `--set`."""

    def __init__(self, *texts: str) -> None:
        self.val = list(texts)


@pytest.mark.parametrize(
    ("name", "given", "converted"),
    [
        ("mirror_workers", 2, "2"),
        ("mirror_workers", "2", "2"),
        ("mirror_rules", "folder", ["folder"]),
        ("mirror_rules", ["a", "b"], ["a", "b"]),
        ("mirror_enabled", False, False),
    ],
)
def test_from_config_yaml(name: str, given: Any, converted: Any) -> None:
    deferred = {name: given, "other": 1}
    assert convert_deferred(deferred) == []
    assert deferred == {name: converted, "other": 1}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("mirror_enabled", "yes"),
        ("mirror_enabled", None),
        ("mirror_workers", True),
        ("mirror_workers", ["1"]),
        ("mirror_timeout", {"seconds": 1}),
        ("mirror_rules", 5),
        ("mirror_rules", [1]),
        ("mirror_enabled", FromSet("maybe")),
        ("mirror_enabled", FromSet("true", "false")),
        ("mirror_timeout", FromSet()),
        ("mirror_timeout", FromSet("1s", "2s")),
    ],
)
def test_what_mitmproxy_cannot_convert_is_told_and_taken_out(name: str, given: Any) -> None:
    deferred = {name: given}
    (problem,) = convert_deferred(deferred)
    assert problem.startswith(f"{name}=")
    assert deferred == {}


@pytest.mark.parametrize(
    ("name", "given"),
    [("mirror_enabled", FromSet("false")), ("mirror_enabled", FromSet()), ("mirror_rules", FromSet("a", "b"))],
)
def test_from_the_command_line_is_left_to_mitmproxy(name: str, given: Any) -> None:
    deferred = {name: given}
    assert convert_deferred(deferred) == []
    assert deferred == {name: given}
