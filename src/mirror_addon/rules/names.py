"""Finding rules by the names that people use for them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from collections.abc import Iterable

from mirror_addon.routing.decision import Rule
from mirror_addon.routing.trace import RuleView

LONGEST = 300
"""Characters of a name for which something near is looked for."""


class UnknownRule(ValueError):
    """No rule has this name; the text lists the names there are."""


def names_of(rule: Rule) -> set[str]:
    """All names of a rule: `default/serviceB http[0]`, the same with `/`, its own name, its virtual service's."""
    service, _, short = rule.owner.rpartition("/")
    names = {rule.rule} if not service else set[str]()
    for owner in {rule.owner, short} - {""}:
        names.add(owner)
        for own in {rule.rule, rule.name} - {""}:
            names |= {f"{owner} {own}", f"{owner}/{own}"}
        if rule.name:
            names.add(f"{owner} {rule.rule} {rule.name}")
    if rule.name:
        names.add(rule.name)
    return names


def targets_of(view: RuleView) -> set[str]:
    """The hosts of a rule, and the names of its mirrors: as the rule writes them, and in full."""
    found = set(view.hosts)
    for mirror in view.mirrors:
        host, subset = mirror.cluster.host, mirror.cluster.subset
        found |= {mirror.label, f"{host}/{subset}" if subset else host}
    return found


def find_rules(text: str, rules: Iterable[Rule], views: Callable[[], Iterable[RuleView]] = lambda: ()) -> list[Rule]:
    """The rules that `text` names: a rule, a virtual service, a host, or a mirror such as `serviceB/v2`, which stand
    for all their rules. `views` describes the rules; it is called where no rule has that name. Raises UnknownRule."""
    text = " ".join(text.split())
    rules = list(rules)
    exact = [rule for rule in rules if text and text in (str(rule), rule.owner)]
    found = exact or [rule for rule in rules if text in names_of(rule)]
    services = {rule.owner for rule in found}
    if len(services) > 1:
        raise UnknownRule(f"{text!r} may be {' or '.join(sorted(map(str, found)))}; say which")
    if found:
        return found
    if not rules:
        raise UnknownRule("no rule mirrors anything; see mirror.rules")
    described = [view for view in views() if view.mirrors]
    if found := [view.rule for view in described if text in targets_of(view)]:
        _refuse_ambiguous(text, described)
        return found
    every = {name: view.rule for view in described for name in targets_of(view)}
    every |= {name: rule for rule in rules for name in names_of(rule)}
    near = difflib.get_close_matches(text[:LONGEST], every, n=1)
    hint = f"did you mean {str(every[near[0]])!r}?" if near else f"there are {_some(rules)}"
    raise UnknownRule(f"no rule that mirrors is called {text!r}; {hint}")


def _refuse_ambiguous(text: str, views: Iterable[RuleView]) -> None:
    """Raise UnknownRule where mirrors of different services are called `text`."""
    mirrors = [mirror.cluster for view in views for mirror in view.mirrors if mirror.label == text]
    named = {f"{cluster.host}/{cluster.subset}" if cluster.subset else cluster.host for cluster in mirrors}
    if len(named) > 1:
        raise UnknownRule(f"{text!r} may be {' or '.join(sorted(named))}; say which")


def _some(rules: list[Rule]) -> str:
    shown = ", ".join(str(rule) for rule in rules[:5])
    return f"{shown} and {len(rules) - 5} more" if len(rules) > 5 else shown
