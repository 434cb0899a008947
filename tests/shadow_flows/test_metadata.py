from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.io import FlowReader
from mitmproxy.io import FlowWriter
from pairtools import primary_flow

from mirror_addon.compare.calls import Call
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation
from mirror_addon.shadow_flows import metadata as meta


def saved_and_read(flow: http.HTTPFlow) -> http.HTTPFlow:
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    (read,) = FlowReader(io.BytesIO(file.getvalue())).stream()
    assert isinstance(read, http.HTTPFlow)
    return read


@given(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_comparison_survives_a_file(path: str, value: object) -> None:
    difference = Difference(path, "value", value, "\udcff", "time", "$.a")
    comparison = Comparison("different", (difference,), ("a note",), 3)
    primary, shadow = primary_flow(), primary_flow()
    meta.write_comparison(shadow, primary, comparison)
    read = saved_and_read(shadow)
    assert meta.read_comparison(read) == comparison
    assert meta.is_current(primary, read)


@pytest.mark.parametrize(
    "kept", [None, "", "{", "[]", "{}", '{"differences": [[1]], "notes": [], "more": 0}', 7, "[" * 100_000]
)
def test_what_a_file_has_instead_is_no_comparison(kept: object) -> None:
    flow = primary_flow()
    flow.metadata[meta.COMPARISON_KEY] = kept
    assert meta.read_comparison(flow) is None


def test_answers_that_were_replaced_or_edited_are_not_the_compared_ones() -> None:
    primary, shadow = primary_flow(), primary_flow()
    assert not meta.is_current(primary, shadow)
    meta.write_comparison(shadow, primary, Comparison("same"))
    assert meta.is_current(primary, shadow)
    primary.backup()
    primary.response.content = b"edited"
    assert not meta.is_current(primary, shadow)
    primary.revert()
    assert meta.is_current(primary, shadow)
    shadow.response.timestamp_end += 1
    assert not meta.is_current(primary, shadow)


def test_a_comparison_without_differences_is_written_as_any_other() -> None:
    primary, same, noted = primary_flow(), primary_flow(), primary_flow()
    meta.write_comparison(same, primary, Comparison("same"))
    assert meta.read_comparison(saved_and_read(same)) == Comparison("same")
    meta.write_comparison(noted, primary, Comparison("same", notes=("a note",)))
    keys = [json.loads(meta.text_of(flow, meta.COMPARISON_KEY)).keys() for flow in (same, noted)]
    assert keys[0] == keys[1]
    assert meta.read_comparison(primary) is None


def test_difference_parts_must_be_text() -> None:
    flow = primary_flow()
    flow.metadata[meta.COMPARISON_KEY] = '{"differences": [[1, "value", 1, 2, "", ""]], "notes": [], "more": 0}'
    assert meta.read_comparison(flow) is None


def test_shadow_flows_are_known_by_their_primary() -> None:
    flow = primary_flow()
    assert not meta.is_shadow_flow(flow)
    flow.metadata[meta.PRIMARY_KEY] = "1"
    assert meta.is_shadow_flow(flow)


def test_metadata_of_others_is_passed_over() -> None:
    flow = primary_flow()
    flow.metadata.update({meta.SHADOWS_KEY: ["a", 1, None], meta.CUT_KEY: ["x"], meta.TARGET_KEY: 3})
    assert meta.texts_of(flow, meta.SHADOWS_KEY) == ["a"]
    assert meta.numbers_of(flow, meta.CUT_KEY) is None
    assert meta.text_of(flow, meta.TARGET_KEY) == ""


def test_calls_survive_a_file() -> None:
    calls = (Call("POST", "http://a/\udcff", "different", (Difference("$.a", "value", 1, "\udcff"),), "a note"),)
    flow = primary_flow()
    assert meta.read_calls(flow) == ()
    meta.write_calls(flow, calls)
    assert meta.read_calls(saved_and_read(flow)) == calls


@pytest.mark.parametrize("kept", [None, "", "{", "7", "[1]", "[{}]", "[" * 100_000])
def test_calls_that_cannot_be_read_are_none(kept: object) -> None:
    flow = primary_flow()
    flow.metadata[meta.CALLS_KEY] = kept
    assert meta.read_calls(flow) == ()


def test_what_was_translated_is_kept() -> None:
    shadow, primary = primary_flow(), primary_flow()
    comparison = Comparison("same", twin=(Translation("path[1]", "7", "8", "f/1"),))
    meta.write_comparison(shadow, primary, comparison)
    assert meta.read_comparison(saved_and_read(shadow)) == comparison
