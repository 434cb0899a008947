"""Names of options that do not exist: which one was probably meant. mitmproxy itself ignores them without a message."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from mirror_addon.options.nearby import PREFIX
from mirror_addon.options.nearby import begins_like_ours
from mirror_addon.options.nearby import near_option
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import shown


def unknown_option(name: str) -> str:
    """Return the error message for an option `mirror_*` that does not exist, with the name that is most like it."""
    near = near_option(name, BY_NAME, ())
    hint = f"did you mean {near}?" if near and _is_like(name, near) else f"there are {', '.join(BY_NAME)}"
    return f"unknown option {shown(name)}: {hint}"


def _is_like(name: str, other: str) -> bool:
    return bool(difflib.get_close_matches(name.lower().removeprefix(PREFIX), [other.removeprefix(PREFIX), other]))


def unknown_names(names: Iterable[str], others: Collection[str]) -> Iterator[tuple[bool, str]]:
    """Yield a message for each of `names`, which are no options, that was probably meant to be one of `OPTIONS`, and
    whether that is certain: its beginning is ours. `others` are all options of mitmproxy and its addons."""
    for name in names:
        if name.startswith(PREFIX) or begins_like_ours(name):
            yield True, unknown_option(name)
        elif near_option(name, BY_NAME, others) is not None:
            yield False, f"{unknown_option(name)} It is ignored"
