"""X-Forwarded-For of a routed request (semantics, measured note 11; shadowing 1.7)."""

from __future__ import annotations

from mirror_addon.routing.fields import Fields

_NAME = b"x-forwarded-for"
_LENGTH = len(_NAME)


def with_client(fields: Fields, client: bytes) -> Fields:
    """The fields with `client` appended, comma without space; several lines become one, in place of the first.

    An empty `client` is not appended.
    """
    lines = [field for field in fields if len(field[0]) == _LENGTH and field[0].lower() == _NAME]
    if not lines:
        return (*fields, (_NAME, client)) if client else fields
    if len(lines) == 1 and not client:
        return fields
    value = b",".join([part for part in (*(value for _, value in lines), client) if part])
    joined = (lines[0][0], value)
    position = fields.index(lines[0])
    if len(lines) == 1:
        return (*fields[:position], joined, *fields[position + 1 :])
    rest = tuple([field for field in fields[position + 1 :] if field[0].lower() != _NAME])
    return (*fields[:position], joined, *rest)
