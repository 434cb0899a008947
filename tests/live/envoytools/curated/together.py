"""All cases that have one outcome, as one rule set."""

from __future__ import annotations

import re
from dataclasses import replace

from envoytools.curated.answering import CORS
from envoytools.curated.answering import LOCAL
from envoytools.curated.cases import Case
from envoytools.curated.matching import MATCHING
from envoytools.curated.mirroring import FORWARDED
from envoytools.curated.mirroring import MIRRORS
from envoytools.curated.mirroring import NORMALIZATION
from envoytools.curated.rewriting import HEADERS
from envoytools.curated.rewriting import REWRITES

ALL = [*MATCHING, *REWRITES, *HEADERS, *LOCAL, *CORS, *MIRRORS, *FORWARDED, NORMALIZATION]


def alone(case: Case, number: int) -> Case:
    """The case with a host and names of its own, so that all fit into one rule set."""
    rules = re.sub(r"(metadata|delegate): \{name: (\w+)", rf"\1: {{name: \2-{number}", case.rules)
    rules = re.sub(r"\ba(\\*)\.test\b", rf"a{number}\1.test", rules)
    requests = tuple(replace(sent, host=re.sub(r"^([aA])\.", rf"\g<1>{number}.", sent.host)) for sent in case.requests)
    return replace(case, rules=rules, requests=requests)


def fits(case: Case) -> bool:
    """One outcome whatever the draw, the usual suffix, and no claim on other cases' hosts."""
    return case.draws == (0,) and case.suffix == "-shadow" and "'*" not in case.rules.replace("['*']", "")


CASES = [alone(case, number) for number, case in enumerate(ALL) if fits(case) and "hosts: ['*']" not in case.rules]
