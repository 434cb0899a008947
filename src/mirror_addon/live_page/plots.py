"""The page's plots: SVG without style, script or address in it, coloured by the page's own style sheet."""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Sequence
from xml.etree import ElementTree

import pygal

# pygal hooks into every import of the process, for its plugins (there are none here), in a way Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WIDTH, HEIGHT = 520, 170
UNWANTED = frozenset({"defs", "desc", "script", "style", "title"})
UNWANTED_LAYERS = frozenset({"text-overlay", "tooltip-overlay"})
FEW = 40
"""Values of which each gets a dot: one between gaps has no line."""

Values = Sequence[float | None]


def line_plot(label: str, series: Sequence[tuple[str, Values]], formatter: Callable[[float], str]) -> str:
    """Lines over the same points; None is a gap. `label` is what a screen reader says. Line N has class `serie-N`."""
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
    """`svg` as it may stand in a page whose policy allows neither inline style nor script."""
    for parent in svg.iter():
        parent.tag = parent.tag.rpartition("}")[2]  # HTML knows by itself what belongs to SVG
        parent.attrib.pop("style", None)
        for child in list(parent):
            if child.tag.rpartition("}")[2] in UNWANTED or UNWANTED_LAYERS & set(child.get("class", "").split()):
                parent.remove(child)
    svg.attrib.pop("id", None)
    svg.set("role", "img")
    svg.set("aria-label", label)
    return ElementTree.tostring(svg, encoding="unicode")
