"""Regular expressions of filters in time that grows with the text only."""

from __future__ import annotations

import re
import time

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import flowfilter
from mitmproxy.test import tflow

from mirror_addon.admission.linear_regexes import LinearRegex
from mirror_addon.admission.linear_regexes import make_linear
from mirror_addon.admission.request_filter import RequestFilter
from mirror_addon.admission.when import When
from mirror_addon.routing.decision import Request

SLOW = ['~u "(a+)+!"', '~u "(a|a)*!"', '~h "x: (a+)+!"', '~b "(a+)+!"', '~hq "(a|aa)+!"', '~m G & !~u "(.*a){30}!"']


@pytest.mark.parametrize("text", SLOW)
def test_no_request_stops_the_proxy(text: str) -> None:
    when = When(text)
    assert when.slow == []
    flow = tflow.tflow(resp=True)
    flow.request.method = "GET"
    flow.request.path = "/" + "a" * 5000
    flow.request.headers["x"] = "a" * 5000
    flow.request.content = b"a" * 5000
    before = time.process_time()
    when.now(flow)
    when.at_end(flow)
    assert time.process_time() - before < 1


def test_a_filter_of_mirror_to_neither() -> None:
    wanted = RequestFilter('~u "(a+)+!"')
    before = time.process_time()
    assert not wanted(Request(b"GET", b"http", b"a.test", b"/" + b"a" * 5000, (), 80))
    assert wanted(Request(b"GET", b"http", b"a.test", b"/aa!", (), 80))
    assert time.process_time() - before < 1


@pytest.mark.parametrize("text", ['~u "(?P<x>a)(?P=x)"', '~u "(?=a)b"', '~b "(?<!a)b"'])
def test_what_re2_does_not_have_stays_and_is_said(text: str) -> None:
    expression = flowfilter.parse(text)
    assert make_linear(expression) == [text[4:-1]]
    assert isinstance(expression.re, re.Pattern)
    assert When(f"~m GET | !({text})").slow == [text[4:-1]]


EXPRESSIONS = ["a", "^a", "a$", "a.b", "[^a]", "a|b$", "(ab)+", "A", "é", r"a\b", "", "a{2}"]


@given(
    st.sampled_from(EXPRESSIONS),
    st.text(st.sampled_from("abA\né.")),
    st.sampled_from([0, re.I, re.S, re.M, re.I | re.S]),
)
def test_the_result_is_that_of_python(expression: str, text: str, flags: int) -> None:
    pattern = re.compile(expression, flags)
    assert LinearRegex(pattern).search(text) is (pattern.search(text) is not None)
    binary = re.compile(expression.encode("latin-1"), flags)
    data = text.encode("latin-1")
    if "é" not in expression or not flags & re.I:
        assert LinearRegex(binary).search(data) is (binary.search(data) is not None)


def test_a_text_that_is_none() -> None:
    assert LinearRegex(re.compile("a")).search("\udcffa")
    with pytest.raises(re2.error):
        LinearRegex(re.compile(r"(a)\1"))
