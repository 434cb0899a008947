from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.compare.noise import MIN_CONTROLS
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


def test_shares_and_sums(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    summary = summary_of(
        *[line()] * 6,
        *[different("$.a")] * 2,
        different("$.t", noise="time"),
        line(verdict=None),
        lost("timeout"),
        lost("queue_full"),
        line(url="http://b/other"),
    )
    (target,) = summary.targets
    assert (target.primary, target.target, summary.lines) == ("b/v1", "b/v2", 13)
    first, second = target.endpoints
    assert (first.name, first.requests, first.compared, first.uncompared) == ("GET /users/{id}", 12, 9, 1)
    assert (first.same, first.noise, first.differing, first.failed, first.dropped) == (6, 1, 2, 1, 1)
    assert first.share is not None and first.share.value == pytest.approx(2 / 9)
    assert set(first.reasons) == {("failed", "timeout", 1), ("dropped", "queue_full", 1)}
    assert [(each.path, each.pairs, each.reason) for each in first.fields] == [("$.a", 2, "")]
    assert [(each.path, each.pairs, each.reason) for each in first.noisy] == [("$.t", 1, "time")]
    assert (second.name, second.differing) == ("GET /other", 0)
    total = target.total
    assert (total.requests, total.compared, total.differing, total.failed) == (13, 10, 2, 1)
    assert total.latency is not None and total.latency.pairs == 11


def test_endpoints_that_differ_most_come_first(line: Record, different: Record, summary_of: Summarise) -> None:
    (target,) = summary_of(
        line(url="http://b/none"), line(url="http://b/none"), line(url="http://b/zero"),
        different("$.a", url="http://b/all"), line(url="http://b/uncompared", verdict=None),
        line(url="http://b/half"), different("$.a", url="http://b/half"),
    ).targets  # fmt: skip
    assert [each.name for each in target.endpoints] == [
        "GET /all",
        "GET /half",
        "GET /none",
        "GET /zero",
        "GET /uncompared",
    ]


@pytest.mark.parametrize(
    ("raw", "noise", "counts"),
    [
        (5000, 0, True),
        (3000, 300, False),
        (3000, 190, False),  # relative 17.7 %: of 1000 controls 19 % differ, it may well be 21 %
        (3000, 170, True),  # relative 22.7 %
        (2, 0, False),  # absolute 0.02 %
        (4, 0, True),
        (1000, 500, False),
    ],
)
def test_diffys_rule(raw: int, noise: int, counts: bool) -> None:
    assert NoiseRule().counts(10_000, raw, 1000, noise) is counts


@pytest.mark.parametrize(("controls", "differing"), [(MIN_CONTROLS - 1, 0), (MIN_CONTROLS, 1)])
def test_an_id_that_the_primary_never_changes_is_none(
    line: Record, different: Record, summary_of: Summarise, controls: int, differing: int
) -> None:
    control = {"control": True, "target": "b/v1"}
    summary = summary_of(
        different("$.sku", "$.request", noise="id"),
        *[line()] * 3,
        *[different("$.request", noise="id", **control)] * controls,
    )
    (part,) = summary.targets[0].endpoints
    assert (part.differing, part.same, part.noise) == (differing, 3, 1 - differing)
    assert [each.path for each in part.fields] == ["$.sku"] * differing
    assert ("$.request", "id") in [(each.path, each.reason) for each in part.noisy]


def test_a_value_that_varies_hides_not_that_it_is_missing(
    line: Record, different: Record, summary_of: Summarise
) -> None:
    control = {"control": True, "target": "b/v1"}
    missing = line(verdict="different", differences=[{"path": "$.pod", "kind": "missing", "primary": "a"}])
    (part,) = (
        summary_of(*[different("$.pod")] * 95, *[missing] * 5, *[different("$.pod", **control)] * 50)
        .targets[0]
        .endpoints
    )
    assert [(each.path, each.kind) for each in part.fields] == [("$.pod", "missing")]
    assert part.differing == 5


def test_what_is_no_known_shape_is_not_hidden_by_shapes(different: Record, summary_of: Summarise) -> None:
    control = {"control": True, "target": "b/v1"}
    (part,) = summary_of(
        *[different("$.at", noise="time")] * 90, *[different("$.at")] * 10,
        *[different("$.at", noise="time", **control)] * 100,
    ).targets[0].endpoints  # fmt: skip
    assert part.differing == 10


def test_a_field_that_the_primary_changes_as_often_is_noise(
    line: Record, different: Record, summary_of: Summarise
) -> None:
    control = {"control": True, "target": "b/v1"}
    (target,) = summary_of(
        *[different("$.pod")] * 30,
        *[different("$.pod", "$.price")] * 5,
        *[line()] * 65,
        *[different("$.pod", **control)] * 3,
        *[line(**control)] * 7,
    ).targets
    (part,) = target.endpoints
    assert [each.path for each in part.fields] == ["$.price"]
    assert [(each.path, each.reason, each.control) for each in part.noisy] == [("$.pod", "control", 0.3)]
    assert (part.differing, part.noise, part.controls, target.total.differing) == (5, 30, 10, 5)


def test_without_controls_even_one_in_many_counts(line: Record, different: Record, summary_of: Summarise) -> None:
    summary = summary_of(different("$.a"), *[line()] * 5000)
    assert summary.targets[0].total.differing == 1


def test_controls_of_another_primary_or_endpoint_say_nothing(
    line: Record, different: Record, summary_of: Summarise
) -> None:
    control = {"control": True, "target": "b/v9"}
    summary = summary_of(
        different("$.a"),
        different("$.a", route="b/v9", **control),
        different("$.a", url="http://b/other", **control),
    )
    assert summary.targets[0].total.differing == 1
    assert summary.controls == 2


def test_only_controls_leave_no_target(line: Record, summary_of: Summarise) -> None:
    summary = summary_of(line(control=True))
    assert (summary.targets, summary.controls, summary.lines) == ((), 1, 1)
