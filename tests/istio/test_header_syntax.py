from __future__ import annotations

import pytest

from mirror_addon.istio.header_syntax import header_syntax_problem


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "tab\there",
        "100%%",
        "%HOSTNAME%",
        "prefix %HOSTNAME% suffix",
        "%REQ(X-Foo)%",
        "%REQ(X-Foo?Y) %",
        "%DYNAMIC_METADATA(a:b)%",
        '%UPSTREAM_METADATA(["ns", "key"])%',
        '%UPSTREAM_METADATA( [ "ns" , "k\\"ey" ] ) %',
        "%REQ(a\\)b)%",
        "% %",
        "%START_TIME(%Y)%",
    ],
)
def test_values(value: str) -> None:
    assert header_syntax_problem(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "%",
        "abc%123",
        "%START_TIME%%",
        "%REQ(X",
        "%REQ(X)",
        "%REQ(X):5%",
        "%REQ()%",
        "%REQ(a\\",
        '%M(["a)"])%',
        "%M([a])%",
        '%M(["a" "b"])%',
        '%M(["a"]x)%',
        '%M(["a",])%',
        '%M(["a"])x%',
    ],
)
def test_operators_that_do_not_end(value: str) -> None:
    assert str(header_syntax_problem(value)).startswith("'%' begins a command operator that does not end")


@pytest.mark.parametrize("value", ["a\nb", "\0", "\x7f", "\r"])
def test_control_characters(value: str) -> None:
    assert "control characters" in str(header_syntax_problem(value))


def test_a_long_value_takes_linear_time() -> None:
    assert header_syntax_problem("%M([" + '"a", ' * 50_000) is not None
