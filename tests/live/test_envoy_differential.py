"""The same rules and requests: what real Envoy does with the export against what the route table decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from envoytools import generated_namespaces
from envoytools import outcome
from envoytools.bench import Bench
from envoytools.bench import Recorders
from envoytools.bench import Refused
from envoytools.curated.answering import CORS
from envoytools.curated.answering import LOCAL
from envoytools.curated.answering import UNAVAILABLE
from envoytools.curated.cases import Case
from envoytools.curated.cases import virtual_service
from envoytools.curated.formatted import FORMATTED
from envoytools.curated.gateway_api import GATEWAY_API
from envoytools.curated.gateway_api import HandCase
from envoytools.curated.matching import MATCHING
from envoytools.curated.mirroring import FORWARDED
from envoytools.curated.mirroring import MESH_HEADERS
from envoytools.curated.mirroring import MIRRORS
from envoytools.curated.mirroring import NORMALIZATION
from envoytools.curated.namespaces import GATEWAYS
from envoytools.curated.namespaces import NAMESPACES
from envoytools.curated.rewriting import HEADERS
from envoytools.curated.rewriting import REWRITES
from envoytools.generated import DRAWS
from envoytools.generated import requests as generated_requests
from envoytools.generated import rule_sets
from envoytools.generated_routes import route_sets
from envoytools.outcome import Outcome
from envoytools.outcome import Sent
from envoytools.outcome import computed
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import given
from hypothesis import reject
from hypothesis import settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def recorders() -> Iterator[Recorders]:
    with Recorders() as running:
        yield running


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, recorders: Recorders) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("edge"), recorders) as bench:
        yield bench


@pytest.mark.parametrize(
    "case",
    [
        *MATCHING,
        *REWRITES,
        *HEADERS,
        *LOCAL,
        *CORS,
        *MIRRORS,
        *FORWARDED,
        NORMALIZATION,
        UNAVAILABLE,
        *NAMESPACES,
        *GATEWAYS,
        *FORMATTED,
    ],
    ids=lambda case: case.name,
)
def test_envoy_does_what_the_table_decides(edge: Bench, case: Case) -> None:
    problems = edge.compare(case.rules, case.requests, suffix=case.suffix, draws=case.draws, identity=case.identity)
    assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("by_hand", [False, True], ids=["exported", "by hand"])
@pytest.mark.parametrize("case", GATEWAY_API, ids=lambda case: case.name)
def test_routes_of_the_gateway_api(edge: Bench, case: HandCase, by_hand: bool) -> None:
    """Envoy with the export of the table, and with routes that a person wrote."""
    problems = edge.compare(case.rules, case.requests, draws=case.draws, by_hand=case.envoy if by_hand else "")
    assert not problems, "\n\n".join(problems)


def test_sidecar(tmp_path: Path, recorders: Recorders) -> None:
    """Without `use_remote_address` the client is not appended to X-Forwarded-For."""
    with Bench(tmp_path, recorders, edge=False) as sidecar:
        for case in FORWARDED:
            problems = sidecar.compare(case.rules, case.requests)
            assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("edge", [True, False])
def test_mesh_headers(tmp_path: Path, recorders: Recorders, edge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mirror_proxy_headers=istio`: the fields that Envoy adds are compared too, except the random x-request-id."""
    recorders.check_nothing_came_late()  # of the comparison before, which leaves those fields out
    monkeypatch.setattr(outcome, "ENVOY_ADDS_TO_REQUESTS", {b"x-request-id"})
    timed = outcome.ENVOY_ADDS_TO_RESPONSES | {b"x-envoy-upstream-service-time"}
    monkeypatch.setattr(outcome, "ENVOY_ADDS_TO_RESPONSES", timed)
    with Bench(tmp_path, recorders, edge=edge, mesh_headers=True) as bench:
        for case in MESH_HEADERS:
            problems = bench.compare(case.rules, case.requests)
            assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("level", ["NONE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"])
def test_path_normalization(tmp_path: Path, recorders: Recorders, level: str) -> None:
    with Bench(tmp_path, recorders, normalization=level) as bench:
        problems = bench.compare(NORMALIZATION.rules, NORMALIZATION.requests)
        assert not problems, "\n\n".join(problems)


def compare_generated(
    bench: Bench,
    rules: str,
    requests: list[Sent],
    identity: Mapping[str, Any] | None = None,
    draws: Sequence[int] = DRAWS,
) -> None:
    try:
        problems = bench.compare(rules, requests, draws=draws, identity=identity)
    except Refused:
        reject()
    assert not problems, "\n\n".join(problems)


QUICK = settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""A fixed seed; an example that fails is shown as it is, as every step of shrinking it would wait for shadows."""


@QUICK
@given(rules=rule_sets(), requests=st.lists(generated_requests, min_size=4, max_size=8))
def test_generated(edge: Bench, rules: str, requests: list[Sent]) -> None:
    compare_generated(edge, rules, requests)


@QUICK
@given(
    rules=generated_namespaces.rule_sets(),
    requests=st.lists(generated_namespaces.requests, min_size=4, max_size=8),
    identity=generated_namespaces.identities,
)
def test_generated_namespaces(edge: Bench, rules: str, requests: list[Sent], identity: dict[str, Any]) -> None:
    compare_generated(edge, rules, requests, identity, range(24))


@settings(QUICK, max_examples=40)
@given(rules=route_sets(), requests=st.lists(generated_requests, min_size=4, max_size=8))
def test_generated_routes(edge: Bench, rules: str, requests: list[Sent]) -> None:
    compare_generated(edge, rules, requests)


@pytest.mark.long
@settings(QUICK, max_examples=5_000, derandomize=False)
@given(rules=route_sets(), requests=st.lists(generated_requests, min_size=4, max_size=8))
def test_generated_routes_for_long(edge: Bench, rules: str, requests: list[Sent]) -> None:
    compare_generated(edge, rules, requests)


@pytest.mark.long
@settings(QUICK, max_examples=20_000, derandomize=False)
@given(
    rules=generated_namespaces.rule_sets(),
    requests=st.lists(generated_namespaces.requests, min_size=4, max_size=8),
    identity=generated_namespaces.identities,
)
def test_generated_namespaces_for_long(edge: Bench, rules: str, requests: list[Sent], identity: dict[str, Any]) -> None:
    compare_generated(edge, rules, requests, identity, range(24))


@pytest.mark.long
@settings(QUICK, max_examples=20_000, derandomize=False)
@given(rules=rule_sets(), requests=st.lists(generated_requests, min_size=4, max_size=8))
def test_generated_for_long(edge: Bench, rules: str, requests: list[Sent]) -> None:
    compare_generated(edge, rules, requests)


def test_shares_are_those_of_the_draw(edge: Bench) -> None:
    """Weights and mirrors of many requests: Envoy's counts against the table's.

    Eight standard deviations of their difference apart: wrong less than once in 10**9 runs.
    """
    rules = virtual_service("""
- route:
  - {destination: {host: v1}, weight: 30}
  - {destination: {host: v2}, weight: 70}
  mirrors:
  - {destination: {host: m1}, percentage: {value: 20}}
  - {destination: {host: m2}, percentage: {value: 60}}
  fault: {abort: {httpStatus: 418, percentage: {value: 10}}}
""")
    count = 1500
    found = Counter(map(shape, edge.outcomes(rules, [Sent()] * count)))
    table = edge.recorders.table(rules, edge.identity)
    random = Random(7)
    draws = [random.getrandbits(64) for _ in range(10 * count)]
    ours = Counter(shape(computed(table, edge.recorders.upstreams, Sent(), 0, draw, "-shadow")) for draw in draws)
    assert found.keys() <= ours.keys()  # 20 % is among 60 %: m1 never without m2
    for each, number in ours.items():
        share = number / len(draws)
        spread = (count * share * (1 - share) * (1 + count / len(draws))) ** 0.5
        assert abs(found[each] - count * share) < 8 * spread + 1, (each, found, ours)


def shape(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.primary.at if outcome.primary else "", *(shadow.at for shadow in outcome.shadows))
