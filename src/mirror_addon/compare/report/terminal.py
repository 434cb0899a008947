"""The report for a terminal, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirror_addon.compare.findings import ACCEPTED
from mirror_addon.compare.findings import FIXED
from mirror_addon.compare.findings import headline
from mirror_addon.compare.report.summary import Field
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import TargetSummary
from mirror_addon.compare.report.wording import REASONS
from mirror_addon.compare.report.wording import calls_sentence
from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import duration
from mirror_addon.compare.report.wording import percent
from mirror_addon.compare.report.wording import ratio_text
from mirror_addon.compare.report.wording import rule_text
from mirror_addon.compare.report.wording import share_text
from mirror_addon.compare.report.wording import target_name
from mirror_addon.compare.report.wording import target_sentence
from mirror_addon.compare.report.wording import value_text
from mirror_addon.compare.report.wording import verdict
from mirror_addon.display.text import printable

MAX_ENDPOINTS = 30
MAX_FIELDS = 8
"""Rows that a terminal shows. The page shows more of them."""


def terminal_report(summary: Summary) -> Iterator[RenderableType]:
    """What to print, in order. Content of the record is wrapped in Text, because rich parses strings as markup."""
    yield Text(verdict(summary), style="bold")
    if sentence := calls_sentence(summary):
        yield Text(sentence)
    yield from finding_lines(summary)
    for target in summary.targets:
        yield Text()
        yield Text(target_name(target), style="bold cyan")
        yield Text(target_sentence(target))
        yield _endpoints(target)
        if len(target.endpoints) > MAX_ENDPOINTS:
            yield Text(f"and {len(target.endpoints) - MAX_ENDPOINTS} more endpoints; -o FILE.html shows them", "dim")
        for part in target.endpoints[:MAX_ENDPOINTS]:
            if part.fields or part.noisy:
                yield from _fields(part)
    if summary.controls:
        yield Text(f"\nNoise was learned from {count(summary.controls)} control pairs.", style="dim")


def finding_lines(summary: Summary) -> Iterator[RenderableType]:
    """The findings: id, state, pairs and endpoints of each with an example, and the rule that accepts it."""
    findings = summary.findings
    if not findings:
        return
    yield Text(f"\n{headline(findings, summary.differing)}.", style="bold")
    for each in findings[:MAX_FIELDS]:
        style = "dim" if each.state in (ACCEPTED, FIXED) else "red"
        pairs = f"{counted(each.pairs, 'pair')} ({percent(each.share)}), {printable(each.places)}"
        yield _indented(
            Text.assemble(f"{each.id}  {each.state:<8}  ", (printable(each.cause.title), style), f"  {pairs}")
        )
        if each.example is not None and each.state not in (ACCEPTED, FIXED):
            values = f"{value_text(each.example.primary)} → {value_text(each.example.shadow)}"
            request = f"{printable(each.example.method)} {printable(each.example.url)}"
            yield _indented(Text(f"{values}  in {request}", style="dim"), 4)
            if rule := rule_text(each):
                yield _indented(Text(printable(rule), style="dim"), 4)
    if len(findings) > MAX_FIELDS:
        yield _indented(Text(f"and {len(findings) - MAX_FIELDS} more findings; --json has all", style="dim"))


def _endpoints(target: TargetSummary) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("endpoint", overflow="fold", ratio=1)
    for name in ("requests", "differing", "failed", "dropped", "p50", "p95", "p95 ratio (interval)"):
        table.add_column(name, justify="right", overflow="fold")
    for part in target.endpoints[:MAX_ENDPOINTS]:
        style = "red" if part.differing else "" if part.compared else "yellow"
        table.add_row(
            Text(printable(part.name)),
            count(part.requests),
            Text(percent(part.share.value) if part.share else "-", style=style),
            Text(count(part.failed), style="yellow" if part.failed else ""),
            Text(count(part.dropped), style="yellow" if part.dropped else ""),
            *_latency(part),
        )
    return table


def _latency(part: Part) -> tuple[str, str, str]:
    if part.latency is None:
        return "-", "-", "-"
    median, tail = part.latency.at(0.5), part.latency.at(0.95)
    return (
        f"{duration(median.primary)} → {duration(median.shadow)}",
        f"{duration(tail.primary)} → {duration(tail.shadow)}",
        ratio_text(tail.ratio),
    )


def _fields(part: Part) -> Iterator[RenderableType]:
    yield Text(f"\n{printable(part.name)}", style="bold")
    for each in part.fields[:MAX_FIELDS]:
        yield _indented(
            Text.assemble((printable(each.path), "red"), f"  {share_text(each.share)}  {printable(each.kind)}")
        )
        for example in each.examples[:1]:
            values = f"{value_text(example.primary)} → {value_text(example.shadow)}"
            yield _indented(Text(values), 4)
            request = f"{printable(example.method)} {printable(example.url)}  {printable(example.id)}"
            yield _indented(Text(request, style="dim"), 4)
    if len(part.fields) > MAX_FIELDS:
        yield _indented(Text(f"and {len(part.fields) - MAX_FIELDS} more fields", style="dim"))
    if part.noisy:
        noisy = "; ".join(f"{printable(each.path)} ({reason_text(each)})" for each in part.noisy[:MAX_FIELDS])
        more = f"; {len(part.noisy) - MAX_FIELDS} more" if len(part.noisy) > MAX_FIELDS else ""
        yield _indented(Text(f"noise: {noisy}{more}", style="dim"))


def reason_text(field: Field) -> str:
    """Why a field is noise, with the share of the control pairs if that is the reason."""
    text = REASONS.get(field.reason, printable(field.reason))
    if field.reason == "control" and field.control is not None:
        text += f": {percent(field.share.value)} against {percent(field.control)}"
    return text


def _indented(text: Text, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)
