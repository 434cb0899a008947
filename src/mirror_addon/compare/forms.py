"""Compare URL-encoded forms by field."""

from __future__ import annotations

from urllib.parse import parse_qsl

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.values import short

_MAX_FIELDS = 10_000
FormFields = dict[str, list[str]]
"""The values of each field, by its name."""


class FormError(ValueError):
    """The body cannot be compared as a form. The message says why."""


def compare_forms(differences: Differences, primary: FormFields, shadow: FormFields) -> None:
    """Compare field by field. The order of fields of different names does not matter."""
    for name in dict.fromkeys((*primary, *shadow)):
        place = differences.place(f"form:{short(name)}")
        compare_values(differences, place, primary.get(name, []), shadow.get(name, []))


def urlencoded(text: str) -> FormFields:
    """Parse an URL-encoded form. Raises FormError."""
    try:
        pairs = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="surrogateescape")
    except ValueError:
        raise FormError(f"more than {_MAX_FIELDS} form fields") from None
    fields: FormFields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
