"""`mirror_shadow`: a hook of our own, which scripts and other addons may have to change a shadow before it is sent.

mitmproxy knows the hook as one of its own (`hooks.all_hooks`), but its dispatch is not used: that logs what an addon
raises and goes on, while a shadow whose script failed must not be sent. The addons that have the hook are looked for
when mitmproxy's register of addons has changed, so that a proxy without such a script does nothing for it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from mitmproxy import exceptions
from mitmproxy import hooks
from mitmproxy import http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addonmanager import traverse


@dataclass
class MirrorShadowHook(hooks.Hook):
    """
    Called for each shadow before it is handed over. The flow has the shadow's request; changes are for the shadow
    alone, and `flow.kill()` leaves it out.
    """

    flow: http.HTTPFlow


class ShadowHook:
    """The addons of one manager that have the hook."""

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._state: tuple[int, object] = (-1, None)
        self._having: tuple[object, ...] = ()

    def having(self) -> tuple[object, ...]:
        """Return the addons that have the hook, in mitmproxy's order."""
        # Whatever is loaded or loaded again is put at the end of the register, and whatever goes makes it shorter.
        register = self._manager.lookup
        newest = next(reversed(register.values()), None)
        if self._state[0] != len(register) or self._state[1] is not newest:
            self._state = len(register), newest
            self._having = tuple(filter(_has_hook, traverse(self._manager.chain)))
        return self._having

    async def call(self, flow: http.HTTPFlow) -> None:
        """Call the hook of each addon, and await those that are asynchronous, until one kills the flow or raises
        `AddonHalt`. Raises what an addon raises."""
        event = MirrorShadowHook(flow)
        for addon in self.having():
            try:
                result = getattr(addon, event.name)(*event.args())
                if inspect.isawaitable(result):
                    await result
            except exceptions.AddonHalt:
                return
            if flow.error is not None:
                return


def _has_hook(addon: object) -> bool:
    return callable(getattr(addon, MirrorShadowHook.name, None))
