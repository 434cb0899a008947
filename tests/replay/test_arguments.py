from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import tflow

from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.arguments import parse_faults
from mirror_addon.replay.arguments import parse_header
from mirror_addon.replay.arguments import parse_loop
from mirror_addon.replay.arguments import parse_rate
from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.arguments import parse_speed

NUMBERS = st.decimals(min_value="0.001", max_value="99999", places=3)


@given(NUMBERS, st.sampled_from(["", "x"]))
def test_speeds(number: object, unit: str) -> None:
    assert parse_speed(f" {number}{unit}") == float(str(number))


def test_as_fast_as_can_be() -> None:
    assert math.isinf(parse_speed("max"))


@given(NUMBERS, st.sampled_from([("", 1), ("/s", 1), (" / s", 1), ("/min", 60), ("/m", 60), ("/h", 3600)]))
def test_rates(number: object, unit: tuple[str, int]) -> None:
    assert parse_rate(f"{number}{unit[0]}") == float(str(number)) / unit[1]


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "1/2", "2xx", "1e3", "nan", "inf", "٣", "1.", "max2"])
def test_no_speed(text: str) -> None:
    with pytest.raises(ValueError, match="as in 2 or"):
        parse_speed(text)


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "200/d", "/s", "200 per s", "max", "٣/s"])
def test_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="200/s"):
        parse_rate(text)


@given(
    st.lists(st.tuples(st.integers(1, 999), st.none() | st.integers(0, 100)), max_size=3),
    st.none() | st.integers(0, 100),
)
def test_faults(delays: list[tuple[int, int | None]], abort: int | None) -> None:
    parts = [f"delay={time}ms" + ("" if share is None else f":{share}%") for time, share in delays]
    parts += [] if abort is None else [f"abort={abort}%"]
    assert parse_faults(" , ".join(parts)) == Faults(
        tuple((pytest.approx(time / 1000), 1.0 if share is None else share / 100) for time, share in delays),
        (abort or 0) / 100,
    )


@pytest.mark.parametrize(
    "text",
    [
        "delay",
        "delay=",
        "delay=2s:",
        "delay=2s:101%",
        "delay=-1s",
        "abort",
        "abort=x",
        "abort=1%,abort=2%",
        "x=1%",
        ",",
    ],
)
def test_no_faults(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_faults(text)


@given(st.text(max_size=30))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for parse in (parse_speed, parse_rate, parse_faults, parse_header, parse_loop):
        try:
            parse(text)
        except ValueError:
            continue


def test_headers() -> None:
    assert parse_header("Authorization:  Bearer a:b ") == (b"Authorization", b"Bearer a:b")
    assert parse_header("X-Empty:") == (b"X-Empty", b"")


@pytest.mark.parametrize("text", ["", "Authorization", "a b: c", ": x", "A: b\r\nc: d", "Content-Length: 3"])
def test_no_header(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 'Name: value'|cannot be replaced"):
        parse_header(text)


@pytest.mark.parametrize(("text", "passes"), [("3", 3), ("forever", math.inf), ("999999999", 999_999_999)])
def test_loops(text: str, passes: float) -> None:
    assert parse_loop(text) == passes


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "ever", "٣"])
def test_no_loop(text: str) -> None:
    with pytest.raises(ValueError, match="number of passes"):
        parse_loop(text)


def test_captures_and_a_filter_in_several_arguments(tmp_path: Path) -> None:
    (tmp_path / "~m GET").touch()
    (tmp_path / "b").touch()
    files = [str(tmp_path / "~m GET"), str(tmp_path / "b")]
    found = parse_selection([*files, "~u /a", "& ~m GET"[2:]], ["~c 200"])
    assert [str(each) for each in found.paths] == files, "an argument that is a file is a capture"
    flow = tflow.tflow(resp=True)
    flow.request.path = "/a"
    assert [each.at_end(flow) for each in found.filters] == [True, True]
    flow.request.method = "PUT"
    assert [each.at_end(flow) for each in found.filters] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "There is no file 'gone'"),
        (["~nobody-at-all/x"], "Nothing to replay"),
        ([], "Nothing to replay"),
        ([__file__, "~q ("], "is not a mitmproxy filter"),
    ],
)
def test_no_selection(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_selection(arguments, [])
