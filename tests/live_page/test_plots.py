"""The SVG that goes into the page."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from mirror_addon.live_page.plots import Values
from mirror_addon.live_page.plots import line_plot


def drawn(*series: Values, label: str = "label") -> ElementTree.Element:
    return ElementTree.fromstring(line_plot(label, [("a", each) for each in series], str))


def test_a_line_for_each_series() -> None:
    svg = drawn([1, 2, 3], [3, 2, 1])
    lines = [path for path in svg.iter("path") if "reactive" in path.get("class", "")]
    assert len(lines) == 2
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "label"


@pytest.mark.parametrize("series", [[], [None, None], [0, 0], [1], [None, 1, None, 2], [1e12, 0], [0.0001, 0]])
def test_any_series_draws(series: list[float | None]) -> None:
    assert drawn(series, series).tag == "svg"


def test_a_value_between_gaps_is_a_dot() -> None:
    assert len(list(drawn([None, 5, None]).iter("circle"))) == 1
    assert not list(drawn([1] * 60).iter("circle"))


def test_nothing_that_a_strict_policy_forbids() -> None:
    svg = drawn([1, 2], label='"><script>alert(1)</script>')
    tags = {each.tag for each in svg.iter()}
    assert not tags & {"script", "style", "defs", "image", "use", "a", "foreignObject"}
    assert not any(
        name == "style" or name.startswith("on") or "href" in name for each in svg.iter() for name in each.attrib
    )
    assert "http" not in ElementTree.tostring(svg, encoding="unicode")
