"""Header operations of a route and its destination, compiled to edits; values may have operators."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from collections.abc import Set
from dataclasses import dataclass
from dataclasses import replace

from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.header_edits import is_editable
from mirror_addon.routing.header_formats import Moment
from mirror_addon.routing.header_formats import Template
from mirror_addon.routing.header_formats import template

Value = bytes | Template
"""The value of a field that a pass sets or adds."""


@dataclass(frozen=True, slots=True)
class FormattedEdit(HeaderEdit):
    """One pass over header fields with values that depend on the request; `appended` and `joined` are empty.

    `dropped` are the fields that are removed only. `sets` and `adds` are in order; a value is bytes or a template.
    """

    sets: tuple[tuple[bytes, Value], ...] = ()
    adds: tuple[tuple[bytes, Value], ...] = ()
    one_line: frozenset[bytes] = frozenset()
    """Lower-case names of which there is one line."""
    moment: Moment | None = None
    """What the values are made from; None until it is `bound`."""
    for_request: bool = False

    def bound(self, moment: Moment, for_request: bool = False) -> FormattedEdit:
        """Return this edit for one request or its response. `for_request`: the fields are the request's own."""
        return replace(self, moment=moment, for_request=for_request)

    def apply(self, fields: Fields, status: int = 0) -> Fields:
        assert self.moment is not None
        fields = HeaderEdit(self.dropped, (), (), ()).apply(fields)
        if self.for_request:
            moment = replace(self.moment, request=replace(self.moment.request, headers=fields))
        else:
            moment = replace(self.moment, fields=fields, status=status)
        # A field without a value is left alone, whatever the operation.
        sets = [(name, made) for name, value in self.sets if (made := _rendered(value, moment))]
        adds = [(name, made) for name, value in self.adds if (made := _rendered(value, moment))]
        return _edit(frozenset(name.lower() for name, _ in sets), sets, adds, self.one_line, ()).apply(fields)


def _rendered(value: Value, moment: Moment) -> bytes:
    return value if isinstance(value, bytes) else value.render(moment)


def _edit(
    dropped: frozenset[bytes],
    sets: Sequence[tuple[bytes, bytes]],
    adds: Sequence[tuple[bytes, bytes]],
    joined: Set[bytes],
    words: tuple[str, ...],
) -> HeaderEdit:
    lines = [field for field in adds if field[0].lower() not in joined]
    comma = tuple((name.lower(), value) for name, value in adds if name.lower() in joined)
    return HeaderEdit(dropped, (*sets, *lines), comma, words)


def unescaped(value: str) -> bytes:
    """Return a header value without operators as Envoy's formatter does, which turns `%%` into `%`."""
    return value.replace("%%", "%").encode()


def _compiled(value: str) -> Value:
    return template(value) or unescaped(value)


def compile_edit(levels: Iterable[HeaderOperations | None], joined: Set[bytes]) -> HeaderEdit | None:
    """Return the operations of several levels, in this order, as one pass; None where there are none.

    `joined` are the names of which there is one line only. Of two sets of one name the later level's wins. Host is
    excluded (see `host_of`), other pseudo-header fields and empty values are ignored, as in Envoy.
    """
    removed: list[str] = []
    sets: dict[bytes, tuple[bytes, str]] = {}
    adds: list[tuple[bytes, str]] = []
    for level in levels:
        if level is None:
            continue
        removed += [name for name in level.remove if is_editable(name)]
        for name, value in sorted(level.set.items()):
            if is_editable(name) and value:
                sets[name.lower().encode()] = (name.encode(), value)
        adds += [(name.encode(), value) for name, value in sorted(level.add.items()) if is_editable(name) and value]
    if not removed and not sets and not adds:
        return None
    words = [f"remove {name}" for name in removed]
    words += [f"set {name.decode()}: {unescaped(value).decode()}" for name, value in sets.values()]
    words += [f"add {name.decode()}: {unescaped(value).decode()}" for name, value in adds]
    gone = frozenset(name.lower().encode() for name in removed)
    set_values = tuple((name, _compiled(value)) for name, value in sets.values())
    add_values = tuple((name, _compiled(value)) for name, value in adds)
    fixed = [(name, value) for name, value in set_values if isinstance(value, bytes)]
    added = [(name, value) for name, value in add_values if isinstance(value, bytes)]
    if len(fixed) < len(set_values) or len(added) < len(add_values):
        return FormattedEdit(gone, (), (), tuple(words), set_values, add_values, frozenset(joined))
    return _edit(gone | sets.keys(), fixed, added, joined, tuple(words))
