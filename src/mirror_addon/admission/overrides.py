"""Rules paused, or with another percentage, by a command while the proxy runs. Nothing of it is written to a file."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.sampling import holds

RuleKey = tuple[str, str]


def rule_key(rule: Rule) -> RuleKey:
    """Return what identifies a rule across reloads: its name if it has one, else its place."""
    return rule.owner, rule.name or rule.rule


@dataclass(slots=True)
class Override:
    """What was changed of one rule."""

    rule: Rule
    paused: bool = False
    fraction: Fraction | None = None
    """Replaces the percentages of all its mirrors; None: they stay."""

    def words(self) -> str:
        """Return `paused`, `5 % of the requests`, or both."""
        share = [f"{self.fraction} of the requests"] if self.fraction is not None else []
        return ", ".join(["paused"] * self.paused + share)


class Overrides:
    """The overrides of all rules. False if there are none."""

    def __init__(self) -> None:
        self._by_rule: dict[RuleKey, Override] = {}

    def __bool__(self) -> bool:
        return bool(self._by_rule)

    def pause(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._of(rule).paused = True

    def resume(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._of(rule).paused = False
            self._tidy(rule)

    def percent(self, rules: Iterable[Rule], fraction: Fraction | None) -> None:
        """Mirror this fraction of the requests of `rules`; None: as the files have it."""
        for rule in rules:
            self._of(rule).fraction = fraction
            self._tidy(rule)

    def apply(self, decision: Decision, draw: int) -> None:
        """Apply the override of the decision's rule. `draw` is the random number with which the decision was made."""
        rule = decision.rule
        override = self._by_rule.get(rule_key(rule)) if rule is not None else None
        if override is None:
            return
        for mirror in decision.mirrors:
            if override.fraction is not None:
                number = mirror.number
                mirror.percent = override.fraction.percent
                mirror.sampled = (
                    override.fraction.includes(draw) if number is None else holds(override.fraction, number)
                )
                if not mirror.sampled:
                    mirror.skipped = None
                elif mirror.skipped is None and mirror.endpoint is None:
                    mirror.skipped = "no_endpoint"
            if override.paused and mirror.skipped is None and mirror.sampled:
                mirror.skipped = "paused"

    def keep(self, rules: Collection[Rule]) -> list[str]:
        """Another table is in force, with these rules. Remove the overrides of other rules, and return a line of text
        for each."""
        known = {rule_key(rule): rule for rule in rules} if self else {}
        gone = [override for key, override in self._by_rule.items() if key not in known]
        self._by_rule = {key: override for key, override in self._by_rule.items() if key in known}
        for key, override in self._by_rule.items():
            override.rule = known[key]
        return [f"{override.rule}: {override.words()}" for override in gone]

    def of(self, rule: Rule) -> Override | None:
        """Return the override of `rule`, if there is one."""
        return self._by_rule.get(rule_key(rule))

    def paused(self) -> list[Rule]:
        """Return the rules that are paused."""
        return [override.rule for override in self._by_rule.values() if override.paused]

    def lines(self) -> list[str]:
        """Return a line of text for each override."""
        return [f"{override.rule}: {override.words()}" for override in self._by_rule.values()]

    def _of(self, rule: Rule) -> Override:
        return self._by_rule.setdefault(rule_key(rule), Override(rule))

    def _tidy(self, rule: Rule) -> None:
        override = self._of(rule)
        if not override.paused and override.fraction is None:
            del self._by_rule[rule_key(rule)]
