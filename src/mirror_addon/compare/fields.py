"""Fields that may be repeated: of forms and of headers."""

from __future__ import annotations

from mirror_addon.compare.findings import Findings
from mirror_addon.compare.paths import Place


def compare_values(findings: Findings, place: Place, primary: list[str], shadow: list[str], shape: str = "") -> None:
    """Compare all values of a field; a list is empty where the field is not there.

    `shape`: the known shape that differing values have.
    """

    def where() -> str:
        return place.text

    if primary == shadow:
        return
    if not primary or not shadow:
        findings.add(place, "extra" if not primary else "missing", _told(primary), _told(shadow), where)
    elif len(primary) != len(shadow):
        findings.add(place, "length", _told(primary), _told(shadow), where)
    elif sorted(primary) == sorted(shadow):
        findings.add(place, "order", _told(primary), _told(shadow), where)
    else:
        for one, other in zip(primary, shadow, strict=True):
            if one != other:
                findings.add(place, "value", one, other, where, shape=shape)


def _told(values: list[str]) -> object:
    if len(values) < 2:
        return values[0] if values else None
    return list(values)
