from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from mirror_addon.istio.annotations_schema import ANNOTATIONS
from mirror_addon.istio.annotations_schema import annotations_schema
from mirror_addon.istio.mirror_annotations import KNOWN
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.istio.mirror_annotations import parse_annotation

VALIDATOR = Draft7Validator(annotations_schema())
GOOD = {
    "expires": ["72h", "1h30m", "+.5h", "2026-11-22T20:00:00+08:00", "20261122T200000Z", "2026-W47-7T20:00Z", " 1m "],
    "active": ["2026-11-22T20:00+08:00/PT30M", "P1DT12H/2026-11-22T20:00Z", "2026-11-22T20:00Z/2026-11-23T20:00Z"],
    "max-rps": ["5", "0.5"],
    "max-requests": ["1000"],
    "max-latency": ["500ms", "1.5s", "2µs500ms"],
    "methods": ["safe", "all", "get, POST"],
    "when": ["~m POST & ~u /orders"],
    "sample-by": ["source", "header:x-user", "cookie:sid", "query:user id"],
    "remove-headers": ["Authorization, Cookie"],
    "set-headers": ['{"X-Mirror-Shadow": "1"}', ' {\n"A": ""} '],
    "ignore": ["$.id, header:X"],
    "twin": ["true", " false "],
}
BAD = {
    "expires": ["", "soon", "72", "72 h"],
    "active": ["", "PT30M", "now"],
    "max-rps": ["", "-1", "5/s", "1e3"],
    "max-requests": ["", "1.5", "-1"],
    "max-latency": ["", "500", "fast"],
    "methods": ["", "GET,", ",GET"],
    "when": ["", " "],
    "sample-by": ["", "header", "header:", "user"],
    "remove-headers": ["", "A,,B"],
    "set-headers": ["", "X: 1", '["A"]'],
    "ignore": ["", " "],
    "twin": ["", "yes", "True"],
}


def accepted(name: str, value: object) -> bool:
    annotations = {PREFIX + name: value, "team": "shop"}
    virtual_service = {"kind": "VirtualService", "metadata": {"name": "a", "annotations": annotations}, "spec": {}}
    both = [VALIDATOR.is_valid(document) for document in (annotations, virtual_service, {"items": [virtual_service]})]
    assert len(set(both)) == 1
    return both[0]


def test_it_is_a_schema_of_draft_07_for_all_that_is_read() -> None:
    Draft7Validator.check_schema(annotations_schema())
    assert tuple(sorted(ANNOTATIONS)) == tuple(sorted(KNOWN)) == tuple(sorted(GOOD)) == tuple(sorted(BAD))


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_values_that_are_read(name: str, value: str) -> None:
    parse_annotation(name, value, 0.0)
    assert accepted(name, value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_values_that_are_refused_by_both(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_annotation(name, value, 0.0)
    assert not accepted(name, value)


def test_values_that_are_no_text_and_unknown_names() -> None:
    assert not accepted("max-rps", 5)
    assert not accepted("expire", "72h")
    assert not accepted("expires-", "72h")
    assert VALIDATOR.is_valid({"kind": "VirtualService", "metadata": {"annotations": None}})


texts = st.one_of(
    st.text(alphabet="0123456789.+-:/TZPDHMSWhmsnu µGET,headrcookiqy=safl{}\"' \n", max_size=25),
    st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})\Z"),
    st.dictionaries(st.from_regex(r"\A[A-Z][a-z-]{0,5}\Z"), st.text(max_size=3), min_size=1, max_size=2).map(
        json.dumps
    ),
)


@given(st.sampled_from(KNOWN), texts)
def test_it_refuses_nothing_that_is_read(name: str, value: str) -> None:
    try:
        parse_annotation(name, value, 0.0)
    except ValueError:
        return
    assert accepted(name, value)
