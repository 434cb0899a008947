"""Diffy's rule over many pairs."""

from __future__ import annotations

from mirror_addon.compare.difference import Difference
from mirror_addon.compare.noise import OTHER
from mirror_addon.compare.noise import Noise


def difference(path: str, kind: str = "value", noise: str = "") -> Difference:
    return Difference(path, kind, 1, 2, noise, path)


A = (difference("$.a"),)


def fed(
    raw: int, pairs: int, noise: int, controls: int, *, of: tuple[Difference, ...] = A, own: tuple[Difference, ...] = A
) -> Noise:
    learned = Noise()
    for number in range(max(pairs, controls)):
        learned.pair(
            "GET /",
            (of if number < raw else ()) if number < pairs else None,
            (own if number < noise else ()) if number < controls else None,
        )
    return learned


def test_more_than_both_thresholds() -> None:
    assert fed(100, 1000, 0, 1000).is_real("GET /", "$.a")
    assert fed(100, 1000, 10, 1000).is_real("GET /", "$.a")


def test_as_often_as_the_primary_itself() -> None:
    assert not fed(100, 1000, 100, 1000).is_real("GET /", "$.a")
    assert not fed(140, 1000, 100, 1000).is_real("GET /", "$.a")  # 17 % of both


def test_too_seldom_to_count() -> None:
    assert not fed(1, 4000, 0, 4000).is_real("GET /", "$.a")
    assert fed(2, 4000, 0, 4000).is_real("GET /", "$.a")


def test_controls_for_a_sample_of_the_pairs() -> None:
    assert fed(500, 1000, 0, 10).is_real("GET /", "$.a")
    assert not fed(500, 1000, 5, 10).is_real("GET /", "$.a")
    assert fed(1000, 1000, 5, 100).is_real("GET /", "$.a")


def test_a_few_controls_do_not_measure_a_noise_well() -> None:
    assert not fed(60, 60, 3, 6).is_real("GET /", "$.a")  # by the bare shares it would be 33 %


def test_without_controls_everything_is_real() -> None:
    assert fed(1, 10, 0, 0).is_real("GET /", "$.a")


def test_a_value_that_varies_does_not_excuse_one_that_is_missing() -> None:
    learned = Noise()
    for number in range(100):
        learned.pair("GET /", [difference("$.a", "missing" if number < 10 else "value")], A)
    assert learned.is_real("GET /", "$.a", "missing")
    assert not learned.is_real("GET /", "$.a", "value")
    assert learned.is_real("GET /", "$.a")


def test_known_shapes_are_left_out() -> None:
    time = (difference("$.a", noise="time"),)
    assert not fed(100, 100, 0, 100, of=time).is_real("GET /", "$.a")
    assert fed(100, 100, 100, 100, own=time).is_real("GET /", "$.a")


def test_an_id_that_the_primary_does_not_make_up() -> None:
    ids = (difference("$.a", noise="id"),)
    assert fed(100, 100, 0, 10, of=ids).is_real("GET /", "$.a")
    assert not fed(100, 100, 10, 10, of=ids, own=ids).is_real("GET /", "$.a")
    assert not fed(100, 100, 0, 0, of=ids).is_real("GET /", "$.a")


def test_thresholds() -> None:
    strict = Noise(relative=0.9, absolute=0.5)
    for number in range(100):
        strict.pair("GET /", A if number < 40 else (), ())
    assert not strict.is_real("GET /", "$.a")


def test_unknown() -> None:
    assert not Noise().is_real("GET /", "$.a")
    assert not fed(10, 10, 0, 0).is_real("GET /", "$.b")
    assert not fed(10, 10, 0, 0).is_real("GET /x", "$.a")


def test_what_was_learned() -> None:
    (told,) = fed(50, 100, 0, 10).paths()
    assert (told.endpoint, told.path, told.kind) == ("GET /", "$.a", "value")
    assert (told.pairs, told.raw, told.controls, told.noise) == (100, 50, 10, 0)
    assert (told.relative, told.absolute, told.real) == (1.0, 0.5, True)


def test_bounded_memory_says_so() -> None:
    learned = Noise(max_endpoints=2, max_paths=3)
    assert not learned.overflown
    for number in range(100):
        learned.pair(f"GET /{number}", [difference(f"$.k{number}"), difference("$.same")])
    assert {each.endpoint for each in learned.paths()} == {"GET /0", "GET /1", OTHER}
    assert len([each for each in learned.paths() if each.endpoint == OTHER]) == 4
    assert learned.overflown
    assert learned.is_real("GET /77", "$.k77")


def test_a_control_without_a_response_of_the_candidate() -> None:
    learned = Noise()
    learned.pair("GET /", None, A)
    ((path),) = learned.paths()
    assert (path.pairs, path.raw, path.controls, path.noise, path.real) == (0, 0, 1, 1, False)
