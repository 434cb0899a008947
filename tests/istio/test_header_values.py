from __future__ import annotations

import pytest

from mirror_addon.istio.header_values import Operator
from mirror_addon.istio.header_values import header_value_problem
from mirror_addon.istio.header_values import parse_value


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", ()),
        ("text", ("text",)),
        ("100%%", ("100%",)),
        ("%%REQ(x)%%", ("%REQ(x)%",)),
        ("%REQ(x)%", (Operator("REQ", "x"),)),
        ("a%REQ(X-Y?:path):5%b%PROTOCOL%", ("a", Operator("REQ", "X-Y?:path", 5), "b", Operator("PROTOCOL"))),
        ("%PROTOCOL%%%", (Operator("PROTOCOL"), "%")),
        ("%PROTOCOL()%", (Operator("PROTOCOL"),)),
        ("%START_TIME(%Y-%m)%", (Operator("START_TIME", "%Y-%m"),)),
        ("%START_TIME%", (Operator("START_TIME"),)),
        ("%RESP(x?)%", (Operator("RESP", "x?"),)),
        ("%QUERY_PARAM(y):3%", (Operator("QUERY_PARAM", "y", 3),)),
        ("%STREAM_ID%", (Operator("STREAM_ID"),)),
        ("%DYNAMIC_METADATA(a:b)%", (Operator("DYNAMIC_METADATA", "a:b"),)),
        ("%UPSTREAM_LOCAL_ADDRESS%", (Operator("UPSTREAM_LOCAL_ADDRESS"),)),
    ],
)
def test_values(value: str, parts: tuple[str | Operator, ...]) -> None:
    assert parse_value(value) == parts
    assert header_value_problem(value) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("%", "no operator of the form"),
        ("50% of all", "begins at '% of all'"),
        ("%REQ(x)", "no operator of the form"),
        ("%req(x)%", "no operator of the form"),
        ("% REQ(x)%", "no operator of the form"),
        ("%REQ%", "needs the name of a header field"),
        ("%REQ()%", "needs the name of a header field"),
        ("%REQ(x?y?z)%", "write one header name, or two"),
        ("%REQ( x )%", "write one header name, or two"),
        ('%REQ(["x"])%', "write one header name, or two"),
        ("%QUERY_PARAM%", "needs the name of a query parameter"),
        ("%START_TIME():3%", "has no length"),
        ("%PROTOCOL:3%", "has no argument and no length"),
        ("%DOWNSTREAM_LOCAL_ADDRESS(x)%", "has no argument and no length"),
        ("%NOSUCH%", "Envoy knows no operator %NOSUCH%"),
    ],
)
def test_what_envoy_refuses(value: str, problem: str) -> None:
    assert problem in (header_value_problem(value) or "")
    with pytest.raises(ValueError, match=r"%|operator"):
        parse_value(value)
