"""mitmproxy's dispatch of hooks, with only those addons asked that have the hook.

At each of the eight events of a request mitmproxy goes through its some 36 addons, with a context manager and two
coroutines for each; most have no such hook, and nothing comes of it. That takes 40 % of a small request's processor
time, several times what its shadow takes here. So mitmproxy's own dispatch is given a chain without those addons. All
else stays mitmproxy's: the order, errors, `AddonHalt`, addons inside addons, awaitables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from typing import Any
from typing import cast

from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager

logger = logging.getLogger(__name__)

Dispatch = Callable[[hooks.Hook], Coroutine[Any, Any, None]]

_KNOWN = {
    "trigger_event": {"chain", "safecall", "invoke_addon", "exceptions", "AddonHalt"},
    "invoke_addon": {"_iter_hooks", "args", "inspect", "isawaitable"},
    "_iter_hooks": {
        *("isinstance", "hooks", "Hook", "traverse", "getattr", "name", "callable", "types", "ModuleType"),
        *("exceptions", "AddonManagerError"),
    },
}
"""The methods of AddonManager that dispatch an event, and the names in their code in mitmproxy 11.0.2 to 12.3.1: these
do nothing for an addon without the hook, and of the manager they use no more than `_Asked` has."""


class HookDispatch:
    """A manager's dispatch: mitmproxy's own until `narrow`, and again after `widen`."""

    def __init__(self) -> None:
        self._narrowed: tuple[AddonManager, Dispatch] | None = None

    def apply(self, manager: AddonManager, *, fast: bool) -> None:
        """Narrow it or widen it; the log says where it cannot be narrowed."""
        if not fast:
            self.widen()
        elif not self.narrow(manager):
            logger.info("mirror: mirror_fast_hooks does nothing, this mitmproxy dispatches hooks in its own way")

    def narrow(self, manager: AddonManager) -> bool:
        """From the next event on, ask only addons that have its hook.

        False, and nothing is done, where mitmproxy dispatches in a way that is not known here.
        """
        if self._narrowed is not None:
            return True
        if not _is_known(manager):
            return False
        dispatch = AddonManager.trigger_event

        def trigger_event(event: hooks.Hook) -> Coroutine[Any, Any, None]:
            return dispatch(cast(AddonManager, _Asked(manager, event.name)), event)

        vars(manager)["trigger_event"] = trigger_event
        self._narrowed = manager, trigger_event
        return True

    def widen(self) -> None:
        """Leave it to mitmproxy again."""
        if self._narrowed is None:
            return
        manager, dispatch = self._narrowed
        if vars(manager).get("trigger_event") is dispatch:  # and not somebody's who came later
            del vars(manager)["trigger_event"]
        self._narrowed = None


class _Asked:
    """A manager as the dispatch of one event sees it."""

    __slots__ = ("chain", "invoke_addon")

    def __init__(self, manager: AddonManager, hook: str) -> None:
        self.chain = _having(manager, hook)
        self.invoke_addon = manager.invoke_addon


def _having(manager: AddonManager, hook: str) -> Iterator[object]:
    """The addons with this hook, or with others inside; found one after the other, as hooks may change the chain."""
    for addon in manager.chain:
        try:
            asked = getattr(addon, hook, None) is not None or hasattr(addon, "addons")
        except Exception:  # mitmproxy will meet it too, and say so
            asked = True
        if asked:
            yield addon


def _is_known(manager: AddonManager) -> bool:
    return not _KNOWN.keys() & vars(manager).keys() and all(
        getattr(type(manager), method) is (known := getattr(AddonManager, method))
        and names.issuperset(known.__code__.co_names)
        for method, names in _KNOWN.items()
    )
