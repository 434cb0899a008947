from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mitmproxy import flowfilter
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.admission.when import When
from mirror_addon.admission.when import compile_when


def asked(method: str = "POST", body: bytes | None = b"order", **headers: str) -> http.HTTPFlow:
    request = http.Request.make(method, "http://shop.test/orders/1", body or b"", {"x-user": "alice", **headers})
    request.raw_content = body
    return tflow.tflow(req=request)


def answered(status: int = 200, body: bytes = b"fine", **headers: str) -> http.HTTPFlow:
    flow = asked()
    flow.response = http.Response.make(status, body, headers)
    return flow


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("~m POST", True),
        ("~m GET", False),
        ("/orders", True),
        ("~d shop.test", True),
        ("~hq x-user", True),
        ("~bq order", True),
        ("~bq other", False),
        ("~all", True),
        ("~c 500", None),
        ("!~c 500", None),
        ("~e", None),
        ("~s", None),
        ("~q", None),
        ("~hs x", None),
        ("~bs x", None),
        ("~ts json", None),
        ("~a", None),
        ("~dst 127", None),
        ("~h x-user", True),
        ("~h x-other", None),
        ("~b order", True),
        ("~b other", None),
        ("~m GET & ~c 500", False),
        ("~m POST & ~c 500", None),
        ("~m POST | ~c 500", True),
        ("~m GET | ~c 500", None),
        ("!(~m GET & ~c 500)", True),
        ("!(~m POST | ~c 500)", False),
    ],
)
def test_it_is_decided_as_soon_as_it_is_certain(text: str, now: bool | None) -> None:
    assert When(text).now(asked()) is now


@pytest.mark.parametrize(("text", "now"), [("~bq order", None), ("~b order", None), ("~m GET & ~bq x", False)])
def test_a_body_that_is_streamed_is_not_known(text: str, now: bool | None) -> None:
    assert When(text).now(asked(body=None)) is now


@pytest.mark.parametrize(
    ("text", "ended", "holds"),
    [
        ("~c 500", answered(500), True),
        ("~c 500", answered(200), False),
        ("!~c 200", answered(500), True),
        ("~bs fine & ~m POST", answered(), True),
        ("~hs x-bad", answered(200, b"", **{"x-bad": "1"}), True),
        ("~e", tflow.tflow(err=True), True),
        ("~e", answered(), False),
        ("~q", tflow.tflow(err=True), True),
    ],
)
def test_the_end_decides_the_rest(text: str, ended: http.HTTPFlow, holds: bool) -> None:
    assert When(text).at_end(ended) is holds


@pytest.mark.parametrize(("text", "at"), [("~zz", 1), ("~m (", 4), ("~c abc", 4), ("(~m GET", 8), ("~m GET )", 8)])
def test_what_is_no_filter(text: str, at: int) -> None:
    """Where, as far as this version of pyparsing can tell."""
    with pytest.raises(ValueError, match=f"is not a mitmproxy filter(?: at character {at})?; write one such as"):
        compile_when(text)


def test_where_a_filter_ends_too_early() -> None:
    with pytest.raises(ValueError, match=r"is not a mitmproxy filter at character 8; write one such as"):
        compile_when("~m GET )")


def test_brackets_are_not_too_deep() -> None:
    When("( ( ~m GET | ( ( ~c 500 ) ) ) )")
    When("~u '[(((((((]'")
    with pytest.raises(ValueError, match="more than 4 levels of brackets"):
        When("( ( ( ( ( ~c 500 ) ) ) ) )")


@pytest.mark.parametrize("text", ["", "~m [", "~u '*'"])
def test_what_cannot_be_compiled(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mitmproxy filter"):
        compile_when(text)


ATOMS = st.sampled_from(
    [
        "~m POST",
        "~m GET",
        "~c 500",
        "~c 200",
        "~h x-user",
        "~h x-bad",
        "~b order",
        "~b fine",
        "~bs fine",
        "~e",
        "~q",
        "~s",
    ]
)
FILTERS = st.recursive(
    ATOMS,
    lambda parts: (
        st.tuples(parts, st.sampled_from(["&", "|"]), parts).map(lambda three: f"( {' '.join(three)} )")
        | parts.map(lambda part: f"!( {part} )")
    ),
    max_leaves=3,
)


@settings(max_examples=60, deadline=None)
@given(
    FILTERS, st.sampled_from(["POST", "GET"]), st.sampled_from([200, 500, None]), st.sampled_from([b"fine", b"order"])
)
def test_an_early_answer_is_the_one_that_mitmproxy_gives_at_the_end(
    text: str, method: str, status: int | None, body: bytes
) -> None:
    flow = asked(method)
    when = When(text)
    early = when.now(flow)
    if status is None:
        flow.error = tflow.terr()
    else:
        flow.response = http.Response.make(status, body, {"x-bad": "1"})
    at_end = bool(flowfilter.match(text, flow))
    assert when.at_end(flow) is at_end
    assert early is None or early is at_end


def test_a_filter_that_fails_matches_nothing_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    class Broken:
        @property
        def request(self) -> Any:
            raise RuntimeError("odd bytes")

    when = When("~m GET")
    broken: Any = Broken()
    assert when.now(broken) is False and when.at_end(broken) is False
    assert [record.getMessage() for record in caplog.records] == [
        "mirror: mirror-addon/when ~m GET: RuntimeError: odd bytes"
    ]
