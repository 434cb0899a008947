from __future__ import annotations

import math

import pytest

from mirror_addon.istio.scalars import as_key
from mirror_addon.istio.scalars import resolve
from mirror_addon.istio.scalars import resolve_tagged


@pytest.mark.parametrize("text", ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
def test_yaml_1_1_true(text: str) -> None:
    assert resolve(text) is True


@pytest.mark.parametrize("text", ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
def test_yaml_1_1_false(text: str) -> None:
    assert resolve(text) is False


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text: str) -> None:
    assert resolve(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("1_000", 1000),
        ("1__0", 10),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("0b101", 5),
        ("017", 15),
        ("0o17", 15),
        ("08", 8),
        ("18446744073709551615", 18446744073709551615),
        ("5e1", 50),
        ("8.0", 8),
        ("1.", 1),
    ],
)
def test_integers_are_go_s(text: str, number: int) -> None:
    value = resolve(text)
    assert value == number
    assert type(value) is int


@pytest.mark.parametrize(
    ("text", "number"), [("0.1", 0.1), (".5", 0.5), ("-1.5e3", -1500.0), ("1_0.5", 10.5), ("1e-3", 0.001)]
)
def test_floats(text: str, number: float) -> None:
    assert resolve(text) == number


def test_numbers_beyond_64_bits_become_floats() -> None:
    assert resolve("18446744073709551616") == 18446744073709551616
    assert resolve("9" * 40) == pytest.approx(1e40)
    assert resolve(".inf") == math.inf
    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "12:30",
        "1:2:3.5",
        "2026-11-22",
        "2026-11-22T20:00:00Z",
        "2001-12-14 21:59:43.10 -5",
        "1.2.3.4",
        "v1",
        "yEs",
        "tRUE",
        "+",
        "-",
        ".",
        "0x",
        "0xG",
        "0b12x",
        "_1",
        "1e999",
        "=",
        "30s",
        "/serviceB",
        "nobody",
        "one",
        "-.Inf5",
        "9" * 5000,
    ],
)
def test_all_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "5", "5"),
        ("int", "5", 5),
        ("float", "5", 5),
        ("bool", "on", True),
        ("null", "~", None),
        ("timestamp", "2026-11-22", "2026-11-22"),
    ],
)
def test_tags(tag: str, text: str, value: object) -> None:
    assert resolve_tagged(f"tag:yaml.org,2002:{tag}", text, True) == value


def test_unknown_tag_leaves_text() -> None:
    assert resolve_tagged("!Ref", "5", True) == "5"


def test_tag_against_its_value() -> None:
    with pytest.raises(ValueError, match="not of type int"):
        resolve_tagged("tag:yaml.org,2002:int", "abc", True)


def test_keys_are_text() -> None:
    assert [as_key(value) for value in (True, 8, 1.5, "a", None)] == ["true", "8", "1.5", "a", None]


def test_yamls_other_tags_do_not_change_the_value() -> None:
    assert resolve_tagged("tag:yaml.org,2002:value", "5", True) == 5
    assert resolve_tagged("tag:yaml.org,2002:value", "5", False) == "5"
