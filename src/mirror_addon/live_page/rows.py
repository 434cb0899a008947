"""What the rows of the page say besides numbers: a route's name and matches, what differs, and the parts of a URL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mirror_addon.compare.difference import Difference
from mirror_addon.routing.trace import RuleView
from mirror_addon.statistics.pair_statistics import DifferingPair
from mirror_addon.statistics.pair_statistics import RouteStatistics

SHOWN_PATHS = 2
STATUS = "status"


@dataclass(frozen=True, slots=True)
class Row:
    """The pairs of a rule and a mirror."""

    statistics: RouteStatistics
    name: str
    """The route's own name in the file, or empty."""
    matches: str
    """What it matches; empty for a rule that is gone."""
    differs: str
    """What differs in the newest of its pairs."""

    @property
    def unanswered(self) -> int:
        """Shadows that failed or were dropped."""
        return self.statistics.failed.total() + self.statistics.dropped.total()


def rows(statistics: list[RouteStatistics], listing: list[RuleView], differing: Iterable[DifferingPair]) -> list[Row]:
    """Return the rows in the order of `statistics`. `listing`: the present rules."""
    views = {str(view.rule): view for view in listing}
    paths: dict[tuple[str, str], Counter[str]] = {}
    for pair in differing:
        paths.setdefault((pair.rule, pair.target), Counter()).update(_paths(pair))
    made = []
    for each in statistics:
        view = views.get(each.rule)
        found = Counter[str]() if each.control else paths.get((each.rule, each.target), Counter[str]())
        names = [name for name, _ in found.most_common()]
        matches = " or ".join(view.matches) if view is not None else ""
        made.append(Row(each, view.rule.name if view is not None else "", matches, _shortened(names)))
    return made


def what_differs(pair: DifferingPair) -> str:
    """Return `status, $.total +3`: the first paths that differ and how many more there are."""
    return _shortened(_paths(pair), pair.more)


def _paths(pair: DifferingPair) -> list[str]:
    counting: Iterable[Difference] = (each for each in pair.differences if not each.noise)
    found = list(dict.fromkeys(each.path for each in counting))
    return found or ([STATUS] if pair.primary_status != pair.shadow_status else [])


def _shortened(paths: list[str], more: int = 0) -> str:
    more += len(paths[SHOWN_PATHS:])
    return ", ".join(paths[:SHOWN_PATHS]) + (f" +{more}" if more and paths else "")


def origin(url: str) -> str:
    """Return scheme and authority of a URL."""
    return url[: _path_at(url)]


def path(url: str) -> str:
    """Return what follows the authority of a URL; `/` if nothing does."""
    return url[_path_at(url) :] or "/"


def _path_at(url: str) -> int:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return 0
    slash = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    return len(scheme) + len(separator) + slash


FILTERS = {"origin": origin, "path": path, "what_differs": what_differs}
"""For Jinja templates, by name."""
