"""Whatever the text: resources or diagnostics, never an exception."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

KINDS: dict[str, type[Message]] = {
    "VirtualService": VirtualServiceSpec,
    "DestinationRule": DestinationRuleSpec,
    "ServiceEntry": ServiceEntrySpec,
}
EXAMPLE = b"---\n".join(file.read_bytes() for file in sorted((Path(__file__).parents[2] / "rules").glob("*.yaml")))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["*", "a.b", "5s", "mesh", "n/g", "unix:///x", "1.2.3.4", "(", "/", "%", "::1", "HTTP", "STATIC"]),
)
field_names = st.sampled_from(
    sorted(
        {
            field.alias or name
            for message in (*Message.__subclasses__(), *KINDS.values())
            for name, field in message.model_fields.items()
        }
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(field_names, st.text(max_size=4)), inner, max_size=4)
    ),
    max_leaves=12,
)


def check(text: bytes) -> None:
    parsed = parse_sources([Source("f", text)])
    found = [*parsed.diagnostics, *analyze(parsed.resources)]
    for item in found:
        assert item.line >= 1
        assert item.column >= 1
        assert str(item).isprintable() or "\n" not in str(item)[:20]


@given(st.binary(max_size=200))
def test_bytes(text: bytes) -> None:
    check(text)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@?,# \n\t~<0", max_size=60))
def test_punctuation(text: str) -> None:
    check(text.encode())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(KINDS)), values, values)
def test_objects_of_any_values(kind: str, metadata: Any, spec: Any) -> None:
    base = {"apiVersion": "networking.istio.io/v1", "kind": kind}
    check(json.dumps({**base, "metadata": {"name": "a"}, "spec": spec}).encode())
    check(json.dumps({**base, "metadata": metadata, "spec": spec}).encode())


@given(st.data())
def test_mutated_examples(data: st.DataObject) -> None:
    text = bytearray(EXAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text[start:end] = data.draw(
            st.sampled_from([b"", b"- ", b": ", b"[", b"{", b"&a ", b"*a", b"\n", b"\x00", b"~", b"5"])
        )
    check(bytes(text))


def mutate(value: Any, data: st.DataObject) -> Any:
    """The value with one place in it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: mutate(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(value) - 1))
        return [mutate(item, data) if number == index else item for number, item in enumerate(value)]
    return data.draw(values)


ROUTE = {
    "match": [{"uri": {"prefix": "/a"}, "headers": {"x": {"exact": "y"}}, "port": 80, "sourceLabels": {"a": "b"}}],
    "route": [{"destination": {"host": "b", "subset": "v1", "port": {"number": 80}}, "weight": 1}],
    "rewrite": {"uri": "/", "uriRegexRewrite": {"match": "a", "rewrite": "b"}},
    "retries": {"attempts": 1, "perTryTimeout": "1s", "retryOn": "5xx"},
    "fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 5}}, "abort": {"httpStatus": 500}},
    "mirrors": [{"destination": {"host": "b"}, "percentage": {"value": 1}}],
    "corsPolicy": {"allowOrigins": [{"exact": "a"}], "maxAge": "1s"},
    "headers": {"request": {"set": {"a": "b"}, "remove": ["c"]}},
    "redirect": {"uri": "/x", "redirectCode": 301},
    "directResponse": {"status": 200, "body": {"string": "x"}},
    "delegate": {"name": "d"},
}
SPECS: dict[str, Any] = {
    "VirtualService": {"hosts": ["a.b", "*.c"], "gateways": ["n/g", "mesh"], "http": [ROUTE], "exportTo": ["."]},
    "DestinationRule": {
        "host": "b",
        "subsets": [{"name": "v1", "labels": {"a": "b"}, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}],
        "trafficPolicy": {"portLevelSettings": [{"port": {"number": 1}, "loadBalancer": {"simple": "RANDOM"}}]},
    },
    "ServiceEntry": {
        "hosts": ["b.default.svc.cluster.local"],
        "addresses": ["1.2.3.4/8"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 81}],
        "resolution": "STATIC",
        "endpoints": [{"address": "1.1.1.1", "ports": {"http": 80}, "labels": {"a": "b"}}],
    },
}


@settings(max_examples=300)
@given(st.sampled_from(sorted(SPECS)), st.data())
def test_wrong_types_at_any_place(kind: str, data: st.DataObject) -> None:
    base = {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": SPECS[kind]}
    check(json.dumps(mutate(base, data)).encode())


@pytest.mark.parametrize(
    "item", [b"a_b", pytest.param(b"5", marks=pytest.mark.long), pytest.param(b"{}", marks=pytest.mark.long)]
)
def test_a_flood_of_errors_stays_bounded(item: bytes) -> None:
    text = (
        b"{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: ["
        + (item + b",") * 40_000
        + b"]}}"
    )
    tracemalloc.start()
    parsed = parse_sources([Source("f", text)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 1024 * 1024
    assert "more findings in this document" in parsed.diagnostics[-1].message
