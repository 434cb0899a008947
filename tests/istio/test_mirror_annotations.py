from __future__ import annotations

import contextlib
import dataclasses
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.istio.mirror_annotations import KNOWN
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.istio.mirror_annotations import SAFE_METHODS
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.istio.mirror_annotations import SampleBy
from mirror_addon.istio.mirror_annotations import parse_annotation
from mirror_addon.istio.mirror_annotations import read_annotations


def read(changed: float | None = 1000.0, **texts: str) -> MirrorAnnotations:
    found = read_annotations({PREFIX + name.replace("_", "-"): text for name, text in texts.items()}, changed)
    assert found is not None
    return found


def test_all_of_them() -> None:
    found = read(
        expires="1m",
        active="1970-01-01T00:00Z/PT1H",
        max_rps="0.5",
        max_requests="1000",
        max_latency="1.5s",
        methods="get, POST",
        when=" ~c 500\n",
        sample_by="header:x-user",
        remove_headers="Authorization, Cookie",
        set_headers='{"X-Mirror-Shadow": " 1 "}',
        ignore="$.id",
        twin=" true ",
    )
    assert found == MirrorAnnotations(
        expires=1060.0,
        active=(0.0, 3600.0),
        max_rps=0.5,
        max_requests=1000,
        max_latency=1.5,
        methods=frozenset({b"GET", b"POST"}),
        when="~c 500",
        sample_by=SampleBy("header", "x-user"),
        remove_headers=("Authorization", "Cookie"),
        set_headers=(("X-Mirror-Shadow", "1"),),
        ignore="$.id",
        twin=True,
        texts=found.texts,
    )
    assert [name for name, _ in found.texts] == list(KNOWN)
    assert len(KNOWN) + 1 == len(dataclasses.fields(MirrorAnnotations))


def test_their_names_are_kubernetes_qualified_names() -> None:
    prefix, slash, _ = PREFIX.partition("/")
    assert slash and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", prefix)
    for name in KNOWN:
        assert re.fullmatch(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]", name)


def test_none_where_there_are_none() -> None:
    assert read_annotations({"team": "b", "mirror-addon/unknown": "1"}, 0.0) is None
    assert read_annotations({"mirror-addon/max-rps": "fast"}, 0.0) is None, "check reports it"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("max-latency", "0", "'0' is too short; write 1ms or more, or leave the annotation out"),
        ("max-latency", "-1s", "is too short"),
        ("max-latency", "999us", "is too short"),
        ("max-latency", "500", "'500' is not a duration; write it as in '500ms' or '1.5s'"),
        ("max-latency", "", "is not a duration"),
        ("max-latency", "0.5 s", "is not a duration"),
        ("max-latency", "infs", "is not a duration"),
        ("max-latency", "9" * 400 + "s", "is not a duration"),
        ("max-latency", "1e3ms", "is not a duration"),
        ("max-rps", "0", "is not a rate"),
        ("max-rps", "-1", "is not a rate"),
        ("max-rps", "1e3", "is not a rate"),
        ("max-rps", "nan", "is not a rate"),
        ("max-rps", "9" * 400, "is not a rate"),
        ("max-requests", "0", "is not a count"),
        ("max-requests", "1.5", "is not a count"),
        ("max-requests", "٣", "is not a count"),
        ("methods", "", "is empty"),
        ("methods", "GET,,POST", "has an empty item"),
        ("methods", "GET POST", "is not a method"),
        ("methods", "safe, POST", "cannot be combined with methods"),
        ("when", "", "is empty"),
        ("ignore", " ", "is empty"),
        ("sample-by", "user", "is not something to sample by"),
        ("sample-by", "source:ip", "is not something to sample by"),
        ("sample-by", "header", "needs a name: header:NAME"),
        ("sample-by", "cookie:", "needs a name: cookie:NAME"),
        ("sample-by", "header:x y", "is not a name of a header"),
        ("remove-headers", "Authorization;Cookie", "is not a header name"),
        ("remove-headers", "host", "cannot be removed"),
        ("remove-headers", "Content-Length", "cannot be removed"),
        ("remove-headers", ":authority", "is not a header name"),
        ("set-headers", "X-A: 1", "is not JSON"),
        ("set-headers", "[]", "names no headers"),
        ("set-headers", '["X-A"]', "names no headers"),
        ("set-headers", '"X-A"', "names no headers"),
        ("set-headers", "{}", "names no headers"),
        ("set-headers", '{"X-A": 1}', "must be text in quotes; it is the number 1"),
        ("set-headers", '{"X-A": null}', "must be text in quotes; it is null"),
        ("set-headers", '{"X-A": {"b": "c"}}', "must be text in quotes"),
        ("set-headers", '{"X A": "1"}', "is not a header name"),
        ("set-headers", '{"X-A\\r\\nX-B": "1"}', "is not a header name"),
        ("set-headers", '{"X-A": "1\\r\\nX-B: 2"}', "has control characters"),
        ("set-headers", '{"X-A": "1\\u0000"}', "has control characters"),
        ("set-headers", '{"X-A": "\\ud800"}', "lone surrogate"),
        ("set-headers", '{"X-A": "1", "x-a": "2"}', "is repeated"),
        ("set-headers", '{"Transfer-Encoding": "chunked"}', "cannot be set"),
        ("set-headers", '{"HOST": "b"}', "cannot be set"),
        ("set-headers", "[" * 100_000, "is not JSON"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_annotation(name, text, 0.0)


def test_methods() -> None:
    assert parse_annotation("methods", "safe", None) == SAFE_METHODS
    assert parse_annotation("methods", "all", None) is None


@given(st.sampled_from(KNOWN), st.text(max_size=80))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_annotation(name, text, 0.0)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_nothing_that_ends_a_line_gets_into_a_header(pairs: dict[str, str]) -> None:
    try:
        found = parse_annotation("set-headers", json.dumps(pairs), None)
    except ValueError:
        return
    for name, value in found:
        assert not re.search(r"[\x00-\x08\x0a-\x20\x7f:]", name)
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)


def test_when_they_close_a_mirror() -> None:
    ends = read(expires="1970-01-01T00:01:00Z")
    assert [ends.closed(now) for now in (0, 59.9, 60, 61)] == [None, None, "expired", "expired"]
    window = read(active="1970-01-01T00:01:00Z/PT1M")
    assert [window.closed(now) for now in (0, 60, 119, 120)] == ["inactive", None, None, "inactive"]
    assert read(when="~all").closed(0) is None


def test_a_delegate_has_its_own_and_the_roots_others() -> None:
    root = read(expires="1h", methods="safe", max_rps="1")
    own = read(2000.0, expires="1h", when="~all")
    both = own.within(root)
    assert (both.expires, both.methods, both.max_rps, both.when) == (5600.0, SAFE_METHODS, 1.0, "~all")
    assert dict(both.texts) == {"expires": "1h", "when": "~all", "methods": "safe", "max-rps": "1"}
    assert own.within(None) is own


def test_words_say_what_is_over() -> None:
    found = read(expires="1970-01-01T00:01:00Z", active="1970-01-01T00:01:00Z/PT1M", when="~c 500")
    assert [("over" in line, "(now)" in line, "not yet" in line) for line in found.words(0)] == [
        (False, False, False),
        (False, False, True),
        (False, False, False),
    ]
    assert "(now)" in found.words(90)[1] and ", over)" in found.words(90)[0]
    assert found.words()[2] == "mirror-addon/when: ~c 500"
    assert str(found) == "expires 1970-01-01T00:01:00Z, active 1970-01-01T00:01:00Z/PT1M, when ~c 500"


def test_what_identifies_a_user() -> None:
    texts = ["source", "header:x-user", "cookie:sid", "query:u"]
    assert [str(parse_annotation("sample-by", text, None)) for text in texts] == texts
