"""Compare fields that may be repeated: of forms and of headers."""

from __future__ import annotations

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.paths import Place


def compare_values(
    differences: Differences, place: Place, primary: list[str], shadow: list[str], shape: str = ""
) -> None:
    """Compare all values of one field. A list is empty if that side does not have the field.

    `shape`: the known shape of values that differ, or empty.
    """

    def where() -> str:
        return place.text

    if primary == shadow:
        return
    if not primary or not shadow:
        differences.add(place, "extra" if not primary else "missing", _shown(primary), _shown(shadow), where)
    elif len(primary) != len(shadow):
        differences.add(place, "length", _shown(primary), _shown(shadow), where)
    elif sorted(primary) == sorted(shadow):
        differences.add(place, "order", _shown(primary), _shown(shadow), where)
    else:
        for one, other in zip(primary, shadow, strict=True):
            if one != other:
                differences.add(place, "value", one, other, where, shape=shape)


def _shown(values: list[str]) -> object:
    """One value as it is, several as a list, None for none."""
    if len(values) < 2:
        return values[0] if values else None
    return list(values)
