"""The report as one self-contained HTML page, without scripts, network requests and web fonts.

The content of a record comes from clients and servers and cannot be trusted. Jinja escapes it, nothing of it becomes a
link, and the Content-Security-Policy of the page forbids scripts and requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment
from jinja2 import PackageLoader
from jinja2 import StrictUndefined
from jinja2 import Template

from mirror_addon.compare.findings import headline
from mirror_addon.compare.report import histogram
from mirror_addon.compare.report import tally
from mirror_addon.compare.report import wording
from mirror_addon.compare.report.chart import BASE
from mirror_addon.compare.report.chart import HEIGHT
from mirror_addon.compare.report.chart import LEFT
from mirror_addon.compare.report.chart import RIGHT
from mirror_addon.compare.report.chart import TOP
from mirror_addon.compare.report.chart import WIDTH
from mirror_addon.compare.report.chart import chart_of
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.terminal import reason_text
from mirror_addon.compare.report.times import MAX_SAMPLE
from mirror_addon.display.pages import shown

MAX_DETAILS = 50
"""Endpoints of a target with details. The table above them has all."""
MAX_ROWS = 25
"""Rows of the table that are seen at once. The others are folded."""
MAX_FIELDS = 20
"""Fields of an endpoint, and of all, that are shown. `--json` has all."""
MAX_FINDINGS = 50
PRINTED_FINDINGS = 12
"""Findings on the first page in print."""


def page(summary: Summary, outcomes: Sequence[Outcome], files: Sequence[str]) -> str:
    """Return the HTML page. `files`: the names of the records, which it shows."""
    return _template().render(
        summary=summary,
        outcomes=outcomes,
        files=files,
        max_details=MAX_DETAILS,
        max_rows=MAX_ROWS,
        max_findings=MAX_FINDINGS,
        printed_findings=PRINTED_FINDINGS,
        fields_shown=MAX_FIELDS,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("mirror_addon.compare.report"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        {name: getattr(wording, name) for name in dir(wording) if not name.startswith("_")},
        chart_of=chart_of,
        headline=headline,
        matrix=matrix,
        reason_text=reason_text,
        frame={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "base": BASE},
        max_sample=MAX_SAMPLE,
        limits=tally,
        error=histogram.ERROR,
    )
    return environment.get_template("report.html.jinja")


def matrix(part: Part) -> dict[str, Any]:
    """The statuses of both sides as a table: columns, and rows of (status of the primary, [(pairs, same status)])."""
    columns = sorted({new for _, new, _ in part.statuses}, key=lambda each: each or 1000)
    rows = sorted({old for old, _, _ in part.statuses}, key=lambda each: each or 1000)
    counts = {(old, new): pairs for old, new, pairs in part.statuses}
    return {
        "columns": columns,
        "rows": [(old, [(counts.get((old, new), 0), old == new) for new in columns]) for old in rows],
    }
