"""What the templates and `/api/status.json` show, derived from a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from markupsafe import Markup

from mirror_addon.admission.overrides import Override
from mirror_addon.admission.overrides import rule_key
from mirror_addon.compare.findings import headline
from mirror_addon.live_page.finding_view import FindingView
from mirror_addon.live_page.plots import Values
from mirror_addon.live_page.plots import line_plot
from mirror_addon.live_page.rows import Row
from mirror_addon.live_page.rows import rows as rows_of
from mirror_addon.live_page.state import State
from mirror_addon.live_page.why_nothing import why_nothing
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import RuleView
from mirror_addon.routing.trace import rules
from mirror_addon.rules.listing import describe
from mirror_addon.statistics import reasons
from mirror_addon.statistics.formats import amount
from mirror_addon.statistics.formats import iso
from mirror_addon.statistics.formats import milliseconds
from mirror_addon.statistics.pair_statistics import SECONDS
from mirror_addon.statistics.pair_statistics import DifferingPair
from mirror_addon.statistics.pair_statistics import Interval
from mirror_addon.statistics.pair_statistics import RouteStatistics

if TYPE_CHECKING:
    from mirror_addon.mirroring.rerun import RerunResult

SHOWN_RULES = 100
STEP = 5
"""Seconds between two points of the plots."""

_OF_TWIN = ("sandbox.translated", "sandbox.untranslated")
"""Counters that say nothing of what became of a call."""


@dataclass(frozen=True, slots=True)
class Plots:
    """The plots as SVG, and their newest values in words."""

    rate: Markup
    latency: Markup
    rate_now: str
    latency_now: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of `failed`, `dropped`, `skipped`."""

    kind: str
    word: str
    number: int
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """What the templates see."""

    state: State
    why_nothing: list[str]
    mirrored: list[RuleView]
    more_rules: int
    rows: list[Row]
    reasons: list[Reason]
    findings: list[FindingView]
    differing: list[DifferingPair]
    plots: Plots

    @property
    def headline(self) -> str:
        """Return `3 findings in 70 differing pairs`."""
        return headline([each.finding for each in self.findings], self.state.statistics.different)

    @property
    def verb(self) -> str:
        return {
            "mirroring": "Mirroring",
            "paused": "Paused",
            "off": "Off",
            "expired": "Expired",
            "not started": "Not started",
        }[self.state.mode]

    @property
    def all_compared(self) -> bool:
        """Whether the responses of all pairs were compared."""
        return self.state.statistics.compared == self.state.statistics.sent

    def override(self, rule: Rule) -> Override | None:
        """Return what commands and buttons changed of a rule."""
        return self.state.overrides.get(rule_key(rule))

    @property
    def calls(self) -> list[tuple[str, int]]:
        """Return what became of mirrors' calls, with the numbers; empty without a sandbox."""
        return [
            (name.removeprefix("sandbox."), number)
            for name, number in self.state.totals.items()
            if name.startswith("sandbox.") and not name.startswith(("sandbox.not_kept", *_OF_TWIN))
        ]

    def count(self, name: str) -> int:
        return self.state.totals.get(name, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return `/api/status.json`. Times are in ISO 8601, durations in milliseconds; counters have their names."""
        state = self.state
        return {
            "version": 1,
            "time": iso(state.now),
            "state": state.mode,
            "why_nothing": self.why_nothing,
            "problem": state.problem,
            "expires": None if state.expires is None else iso(state.expires),
            "overrides": [f"{override.rule}: {override.words()}" for override in state.overrides.values()],
            "backoffs": state.backoffs,
            "compared_since": None if state.compared_since is None else iso(state.compared_since),
            "rules": [describe(view) for view in self.mirrored],
            "counters": {"requests": state.requests, "unmatched": state.unmatched, **state.totals},
            "targets": state.targets,
            "routes": [_row(row.statistics) for row in self.rows],
            "findings": [each.as_dict() for each in self.findings],
            "differing": [_differing(pair) for pair in self.differing],
            "reruns": [_rerun(each) for each in state.reruns],
            "engine": state.engine,
        }


def _row(row: RouteStatistics) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "route": row.route,
        "target": row.target,
        "control": row.control,
        "pairs": row.pairs,
        "sent": row.sent,
        "compared": row.compared,
        "same": row.same,
        "noise": row.noise,
        "different": row.different,
        "failed": dict(row.failed),
        "dropped": dict(row.dropped),
        "primary_ms": row.primary.quantiles(),
        "shadow_ms": row.shadow.quantiles(),
    }


def _rerun(result: RerunResult) -> dict[str, Any]:
    return {
        "time": iso(result.time),
        "target": result.target,
        "result": result.words,
        "pairs": result.pairs,
        "fixed": result.fixed,
        "left": result.left,
        "new": list(result.new),
        "unknown": result.unknown,
        "shown": [{"method": each.method, "url": each.url, "why": each.why} for each in result.shown],
    }


def _differing(pair: DifferingPair) -> dict[str, Any]:
    return {
        "time": iso(pair.time),
        "id": pair.id,
        "flow": pair.flow_id,
        "rule": pair.rule,
        "target": pair.target,
        "method": pair.method,
        "url": pair.url,
        "endpoint": pair.endpoint,
        "primary": {"status": pair.primary_status, "ms": pair.primary_ms},
        "shadow": {"status": pair.shadow_status, "ms": pair.shadow_ms},
        "differences": [
            {
                "path": each.path,
                "kind": each.kind,
                "primary": each.primary,
                "shadow": each.shadow,
                "noise": each.noise,
            }
            for each in pair.differences
        ],
        "more": pair.more,
        "notes": list(pair.notes),
    }


class ViewMaker:
    """Makes views. It keeps what is slow to make and changes seldom: the rules of a table, and the plots of a step."""

    def __init__(self) -> None:
        self._table: RouteTable | None = None
        self._mirrored: list[RuleView] = []
        self._plots: tuple[int, Plots] | None = None

    def view(self, state: State) -> View:
        mirrored = self._rules(state.table)
        statistics = state.statistics
        return View(
            state=state,
            why_nothing=why_nothing(state, mirrored),
            mirrored=mirrored[:SHOWN_RULES],
            more_rules=len(mirrored[SHOWN_RULES:]),
            rows=rows_of(statistics.rows(), mirrored, statistics.differing),
            reasons=[
                Reason(kind, word, number, reasons.REASONS.get(word, ""))
                for kind in ("failed", "dropped", "skipped", "adapted")
                for word, number in reasons.parts(state.totals, kind)
            ],
            findings=[FindingView(each) for each in statistics.findings(state.accepted)],
            differing=list(reversed(statistics.differing)),
            plots=self._plots_of(state),
        )

    def _rules(self, table: RouteTable | None) -> list[RuleView]:
        if table is not self._table:
            self._table = table
            self._mirrored = [view for view in rules(table) if view.mirrors] if table else []
        return self._mirrored

    def _plots_of(self, state: State) -> Plots:
        step = int(state.now) // STEP
        if self._plots is None or self._plots[0] != step:
            self._plots = (step, plots(state.statistics.series(STEP)))
        return self._plots[1]


def plots(series: list[Interval]) -> Plots:
    """Draw the two plots of a time series."""

    def rate(name: str) -> Values:
        return [getattr(interval, name) / STEP for interval in series]

    def quantile(name: str, share: float) -> Values:
        return [getattr(interval, name).quantile(share) for interval in series]

    last = series[-1]
    rate_now = (
        f"{amount(last.sent / STEP)} sent, {amount(last.failed_or_dropped / STEP)} failed or dropped, "
        f"{amount(last.different / STEP)} different per second"
    )
    latency_now = (
        f"p95 primary {milliseconds(last.primary.quantile(0.95))}, shadow {milliseconds(last.shadow.quantile(0.95))}"
    )
    over = f"over the last {SECONDS // 60} minutes"
    return Plots(
        rate=Markup(
            line_plot(
                f"Shadows per second {over}; now {rate_now}",
                [
                    ("sent", rate("sent")),
                    ("failed or dropped", rate("failed_or_dropped")),
                    ("different", rate("different")),
                ],
                amount,
            )
        ),
        latency=Markup(
            line_plot(
                f"Latency {over}; now {latency_now}",
                [
                    ("primary p95", quantile("primary", 0.95)),
                    ("shadow p95", quantile("shadow", 0.95)),
                    ("primary p50", quantile("primary", 0.5)),
                    ("shadow p50", quantile("shadow", 0.5)),
                ],
                milliseconds,
            )
        ),
        rate_now=rate_now,
        latency_now=latency_now,
    )
