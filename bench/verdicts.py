"""`python -m bench.verdicts`: how many seeded defects a verdict finds, and how many of its alarms are real.

Two HTTP servers on loopback, the primary and the candidate, answer the same requests with what real answers have in
them: times, generated ids, a list in no order, a value drawn anew each time. In half of the pairs the candidate has one
defect. Each request goes to the primary twice, the second time as the control. Prints Markdown: for each kind of defect
recall (of the pairs with it, how many are told different) and precision (of those told different, how many have it).

The columns are ways to deal with noise: none; known shapes; a control for every pair; Diffy's rule, learned from a
control for every fifth pair (`compare/noise.py`); known shapes and two rules by hand. "slower" is no difference of
answers but of two distributions: told by whether the 95 % interval of the difference of medians is above zero.
A second table has other mutations by protocol (`bench.protocols`).
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from dataclasses import replace

import click
import httpx

from bench import protocols
from bench.defects import DEFECTS
from bench.defects import SLOWER
from bench.defects import DefectiveHandler
from bench.defects import Handler
from bench.defects import server
from bench.report import heading
from bench.report import line
from bench.report import machine
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.noise import Noise
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules

CONTROL_EVERY = 5
MODES = ("off", "shapes", "control", "learned", "rules")
OFF = replace(DEFAULT_RULES, shapes=False)
BY_HAND = Rules.parse(
    "rules: [{path: $.tags, unordered: true}, {path: $.advertisement, presence: true}]", "compare.yaml"
)


def ask(client: httpx.Client, url: str) -> Answer:
    began = time.perf_counter()
    with client.stream("GET", url) as response:
        body = b"".join(response.iter_raw())
    ms = (time.perf_counter() - began) * 1000
    return Answer(response.status_code, tuple(response.headers.raw), body, len(body), ms)


@dataclass(frozen=True)
class Pair:
    """Three answers to one request, and whether the candidate's has the defect."""

    url: str
    defective: bool
    primary: Answer
    control: Answer
    candidate: Answer


def pairs(client: httpx.Client, primary: str, candidate: str, defect: str, count: int) -> list[Pair]:
    """Ask both servers; every other pair has the defect, in an order that is drawn."""
    defective = [number % 2 == 0 for number in range(count)]
    random.shuffle(defective)
    made = []
    for number, has_it in enumerate(defective):
        path = f"/orders/{number}" + (f"?defect={defect}" if has_it else "")
        answers = [ask(client, base + path) for base in (primary, primary, candidate)]
        made.append(Pair(primary + path, has_it, *answers))
    return made


@dataclass(frozen=True)
class Score:
    """How the verdicts of one kind of defect did. Shares; None where there was nothing to have a share of."""

    recall: float | None
    precision: float | None


def score(told: list[bool], truth: list[bool]) -> Score:
    found = sum(one and other for one, other in zip(told, truth, strict=True))
    return Score(found / sum(truth) if any(truth) else None, found / sum(told) if any(told) else None)


def scores(made: list[Pair]) -> dict[str, Score]:
    """By way to deal with noise."""
    truth = [pair.defective for pair in made]
    return {mode: score(told, truth) for mode, told in verdicts(made).items()}


def verdicts(made: list[Pair]) -> dict[str, list[bool]]:
    """Whether each pair is told different, by way to deal with noise."""
    return {
        "off": [different(pair, OFF) for pair in made],
        "shapes": [different(pair, DEFAULT_RULES) for pair in made],
        "control": [different(pair, DEFAULT_RULES, pair.control) for pair in made],
        "learned": learned(made),
        "rules": [different(pair, BY_HAND) for pair in made],
    }


def different(pair: Pair, rules: Rules, control: Answer | None = None) -> bool:
    now = time.time()
    return compare(pair.primary, pair.candidate, rules, control=control, url=pair.url, now=now).verdict == "different"


def learned(made: list[Pair]) -> list[bool]:
    """Diffy's rule: a pair is different if it differs at a path that is no noise over all pairs."""
    noise = Noise()
    found: list[tuple[str, tuple[Difference, ...]]] = []
    for number, pair in enumerate(made):
        endpoint = endpoint_of("GET", pair.url)
        differences = compare(pair.primary, pair.candidate, url=pair.url, now=time.time()).differences
        own = None
        if number % CONTROL_EVERY == 0:
            own = compare(pair.primary, pair.control, url=pair.url, now=time.time()).differences
        noise.pair(endpoint, differences, own)
        found.append((endpoint, differences))
    return [
        any(noise.is_real(endpoint, each.path, each.kind) for each in differences if each.noise in ("", "id"))
        for endpoint, differences in found
    ]


def told_slower(made: list[Pair], draws: random.Random) -> tuple[bool, float]:
    """Whether the candidate is slower in the defective pairs, and by how many milliseconds, by the medians."""
    deltas = [(pair.candidate.ms or 0) - (pair.primary.ms or 0) for pair in made if pair.defective]
    medians = sorted(statistics.median(draws.choices(deltas, k=len(deltas))) for _ in range(500))
    return medians[12] > 0, statistics.median(deltas)


@dataclass(frozen=True)
class Run:
    """All scores of one run. `false_alarms`: by mode, the share of pairs without any defect that are told different."""

    scores: dict[str, dict[str, Score]]
    false_alarms: dict[str, float]
    slower: tuple[bool, float]


def run(count: int, seed: int = 6) -> Run:
    """Ask `count` times for each kind of defect."""
    random.seed(seed)
    with server(Handler) as primary, server(DefectiveHandler) as candidate, httpx.Client() as client:
        by_kind = {}
        clean: list[Pair] = []
        for defect in DEFECTS:
            made = pairs(client, primary, candidate, defect.__name__, count)
            clean += [pair for pair in made if not pair.defective]
            by_kind[defect.__name__] = scores(made)
        alarms = verdicts(clean)
        slow = told_slower(pairs(client, primary, candidate, "slower", count), random.Random(seed))
    return Run(by_kind, {mode: sum(told) / len(told) for mode, told in alarms.items()}, slow)


def table(done: Run) -> str:
    """The run as Markdown."""
    columns = ["defect"] + [f"{what}, {mode}" for mode in MODES for what in ("recall", "precision")]
    rows = [heading(columns)]
    for kind, by_mode in done.scores.items():
        cells = [percent(share) for mode in MODES for share in (by_mode[mode].recall, by_mode[mode].precision)]
        rows.append(line([kind.replace("_", " "), *cells]))
    alarms = [cell for mode in MODES for cell in ("", percent(done.false_alarms[mode]))]
    rows.append(line(["none: false alarms", *alarms]))
    found, ms = done.slower
    said = f"Slower by {SLOWER * 1000:.0f} ms: {'found' if found else 'not found'}, median difference {ms:.1f} ms."
    return "\n".join([*rows, "", said])


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


@click.command()
@click.option("--pairs", "count", default=200, show_default=True, help="Pairs for each kind of defect.")
@click.option("--seed", default=6, show_default=True)
def main(count: int, seed: int) -> None:
    """Recall and precision of the verdict, by kind of defect and way to deal with noise, and by protocol."""
    click.echo(table(run(count, seed)))
    click.echo(f"\n{count} pairs a kind, half of them with the defect. {machine()}\n")
    each = max(2, count // 10)
    click.echo(protocols.table(each, seed))
    click.echo(f"\n{each} pairs a mutation, half of them with it, each with a control.")


if __name__ == "__main__":
    main()
