"""Count the pairs of each cause at an endpoint, from the sets of symptoms that differed together."""

from __future__ import annotations

from functools import partial

from mirror_addon.compare.causes import Symptom
from mirror_addon.compare.causes import causes
from mirror_addon.compare.causes import shown_symptoms
from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import FindingsTally
from mirror_addon.compare.report.tally import EndpointTally
from mirror_addon.compare.report.tally import bits_of


def count_causes(found: FindingsTally, endpoint: str, tally: EndpointTally, counting: int) -> None:
    """Add the pairs of an endpoint to `found`. `counting`: the bits of the symptoms that count there.

    Symptoms that a rule accepts count as accepted pairs of their cause.
    """
    symptoms: dict[int, Symptom] = {}
    examples: dict[Symptom, Example] = {}
    accepted = 0
    for field in tally.fields.values():
        accepted |= field.bits("accepted")
        for symptom, each in field.symptoms.items():
            symptoms.update(dict.fromkeys(each.bits.values(), symptom))
            examples.setdefault(symptom, each.example)
    for combination, pairs in (*tally.combinations.items(), *tally.beyond.items()):
        for mask, is_accepted in ((counting, False), (accepted, True)):
            if combination & mask:
                together = [symptoms[bit] for bit in bits_of(combination & mask)]
                _add(found, endpoint, together, examples, pairs, accepted=is_accepted)


def _add(
    found: FindingsTally,
    endpoint: str,
    symptoms: list[Symptom],
    examples: dict[Symptom, Example],
    pairs: int,
    *,
    accepted: bool,
) -> None:
    for cause, symptom in shown_symptoms(causes(symptoms, endpoint)).items():
        found.add(cause, endpoint, partial(examples.get, symptom), pairs, accepted=accepted)
