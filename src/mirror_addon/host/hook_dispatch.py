"""mitmproxy's dispatch of hooks, limited to the addons that have the hook.

Theory of operation. At each of the eight events of a request, `AddonManager.trigger_event` loops over mitmproxy's
about 36 addons and enters a context manager and two coroutines for each, although most of them do not have the hook.
This takes 40 % of the processor time of a small request, several times what its shadow takes in the proxy.

The replacement is an attribute of the one manager that runs. It calls mitmproxy's own `trigger_event` with a stand-in
for the manager, whose `chain` yields only the addons with the hook. So the order, `AddonHalt`, errors, awaitables and
addons inside addons stay mitmproxy's, and the code that handles them is mitmproxy's.

This is safe only as long as the dispatch does nothing for an addon without the hook, and uses nothing of the manager
but what the stand-in has. `_is_known` verifies both by the names that the code of the dispatch uses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
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
"""The methods of AddonManager that dispatch an event, and the names in their code in mitmproxy 11.0.2 to 12.3.1."""


class HookDispatch:
    """The dispatch of one manager: limited from `narrow` to `widen`."""

    def __init__(self) -> None:
        self._narrowed: tuple[AddonManager, Dispatch] | None = None

    def apply(self, manager: AddonManager, *, fast: bool) -> None:
        """Narrow or widen the dispatch. Where it cannot be narrowed, that is logged."""
        if not fast:
            self.widen()
        elif not self.narrow(manager):
            logger.info("mirror: mirror_fast_hooks has no effect, because this mitmproxy dispatches hooks differently")

    def narrow(self, manager: AddonManager) -> bool:
        """From the next event on, call only addons that have its hook.

        Return False, and change nothing, if this manager's dispatch is not one of those that are known to be safe.
        """
        if self._narrowed is not None:
            return True
        if not _is_known(manager):
            return False
        dispatch = AddonManager.trigger_event

        def trigger_event(event: hooks.Hook) -> Coroutine[Any, Any, None]:
            stand_in = _StandIn(_having(manager, event.name), manager.invoke_addon)
            return dispatch(cast(AddonManager, stand_in), event)

        vars(manager)["trigger_event"] = trigger_event
        self._narrowed = manager, trigger_event
        return True

    def widen(self) -> None:
        """Restore mitmproxy's own dispatch, unless another script replaced ours since."""
        if self._narrowed is None:
            return
        manager, dispatch = self._narrowed
        if vars(manager).get("trigger_event") is dispatch:
            del vars(manager)["trigger_event"]
        self._narrowed = None


class _StandIn(NamedTuple):
    """What the dispatch of one event uses of a manager."""

    chain: Iterator[object]
    invoke_addon: Callable[[Any, hooks.Hook], Coroutine[Any, Any, None]]


def _having(manager: AddonManager, hook: str) -> Iterator[object]:
    """The addons with this hook, or with addons inside. Evaluated step by step, because a hook may change the chain."""
    for addon in manager.chain:
        try:
            wanted = getattr(addon, hook, None) is not None or hasattr(addon, "addons")
        except Exception:
            wanted = True  # mitmproxy meets the same error and logs it
        if wanted:
            yield addon


def _is_known(manager: AddonManager) -> bool:
    """Whether all methods of the dispatch are AddonManager's own and use no names but the known ones."""
    return not _KNOWN.keys() & vars(manager).keys() and all(
        getattr(type(manager), method) is (own := getattr(AddonManager, method))
        and names.issuperset(own.__code__.co_names)
        for method, names in _KNOWN.items()
    )
