"""The page's plots: SVG without styles, scripts and links. The page's style sheet colours it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Sequence
from xml.etree import ElementTree

import pygal

# For its plugins, of which there are none here, pygal adds a finder that takes part in every import of the process, and
# whose interface Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WIDTH, HEIGHT = 520, 170
UNWANTED = frozenset({"defs", "desc", "script", "style", "title"})
UNWANTED_LAYERS = frozenset({"text-overlay", "tooltip-overlay"})
FEW = 40
"""Up to this number of values, each is drawn as a dot too, because one between two gaps has no line."""

Values = Sequence[float | None]


def line_plot(label: str, series: Sequence[tuple[str, Values]], formatter: Callable[[float], str]) -> str:
    """Draw a line for each series; None is a gap. `label` is read by screen readers. Line N has the class `serie-N`."""
    chart = pygal.Line(
        allow_interruptions=True,
        css=[],
        disable_xml_declaration=True,
        height=HEIGHT,
        include_x_axis=True,
        js=[],
        margin=4,
        max_scale=5,
        min_scale=2,
        no_data_text="",
        no_prefix=True,
        dots_size=2,
        show_dots=sum(value is not None for _, values in series for value in values) < FEW,
        show_legend=False,
        show_x_labels=False,
        title=None,
        value_formatter=formatter,
        width=WIDTH,
    )
    top = max((value for _, values in series for value in values if value is not None), default=0)
    chart.range = (0, top or 1)
    for name, values in series:
        chart.add(name, list(values))
    return _bare(ElementTree.fromstring(chart.render(is_unicode=True)), label)


def _bare(svg: ElementTree.Element, label: str) -> str:
    """Return `svg` as HTML for a page whose Content-Security-Policy allows neither inline styles nor scripts."""
    for parent in svg.iter():
        parent.tag = parent.tag.rpartition("}")[2]  # in HTML, SVG needs no namespace
        parent.attrib.pop("style", None)
        for child in list(parent):
            if child.tag.rpartition("}")[2] in UNWANTED or UNWANTED_LAYERS & set(child.get("class", "").split()):
                parent.remove(child)
    svg.attrib.pop("id", None)
    svg.set("role", "img")
    svg.set("aria-label", label)
    return ElementTree.tostring(svg, encoding="unicode")
