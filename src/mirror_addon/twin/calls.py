"""The mirror's calls to other services, where each side names one thing with its own id. Pure.

A call that v2 makes has v2's ids: `{"order_id": 2001}` where v1's has 1007. Once the pair's responses or the request
have shown that these are one order, the difference is no fault of v2.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import replace

from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.differences import TWIN
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin.names import is_token_name
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.names import resources


def with_own_names(calls: Iterable[Call], known: TwinValues, translations: Sequence[Translation]) -> tuple[Call, ...]:
    """The calls with the noise `twin` at each difference between two names of one thing.

    `known` and `translations` are those of the pair that the calls belong to. A difference at a field that is no id,
    such as an amount that happens to be the order's number, stays one.
    """
    names = {(one, other) for _, one, other in known.same}
    names |= {(each.primary, each.shadow) for each in translations}
    if not names:
        return tuple(calls)
    return tuple(
        call._replace(differences=tuple(_judged(each, names) for each in call.differences))
        if call.differences
        else call
        for call in calls
    )


def _judged(difference: Difference, names: set[tuple[str, str]]) -> Difference:
    primary, shadow = difference.primary, difference.shadow
    if difference.noise or difference.kind not in ("value", "type") or isinstance(primary, bool):
        return difference
    if not (isinstance(primary, str | int) and isinstance(shadow, str | int)):
        return difference
    one, other = str(primary), str(shadow)
    if (one, other) not in names or not _names_a_thing(difference.path, one):
        return difference
    return replace(difference, noise=TWIN)


def _names_a_thing(path: str, text: str) -> bool:
    """Whether the field at this path is an id or a token: `$.order_id`, `query:order`, `form:csrf_token`, `path[1]`."""
    if path.startswith("path["):
        return True
    name = path.rpartition("." if path.startswith("$") else ":")[2].removesuffix("[*]")
    return is_wide(text) or is_token_name(name) or bool(resources(f"$.{name}", name, ""))
