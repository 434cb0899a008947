from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy import hooks
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.host.shadow_hook import ShadowHook


class Script:
    """An addon with the hook; `does` is called with the flow."""

    def __init__(self, name: str, does: Any) -> None:
        self.name = name
        self.mirror_shadow = does


def test_mitmproxy_knows_the_hook() -> None:
    assert hooks.all_hooks["mirror_shadow"].name == "mirror_shadow"
    assert hooks.all_hooks["mirror_shadow"](tflow.tflow()).args()  # type: ignore[call-arg]


async def test_who_has_the_hook_is_known_at_any_moment() -> None:
    class Holder:
        addons: list[object]

    one, two = Script("one", print), Script("two", print)
    holder, module = Holder(), types.ModuleType("script")
    holder.addons = [two]
    module.mirror_shadow = print  # type: ignore[attr-defined]
    with taddons.context(loadcore=False) as context:
        manager = context.master.addons
        hook = ShadowHook(manager)
        assert hook.having() == ()
        manager.add(one)
        assert hook.having() == (one,)
        manager.add(holder)
        assert hook.having() == (one, two)
        manager.remove(one)
        assert hook.having() == (two,)
        manager.add(module)
        assert hook.having() == (two, module)
        again = types.ModuleType("script")
        manager.remove(module)
        manager.add(again)  # as a reload of a script that lost its hook
        assert hook.having() == (two,)


async def test_what_has_only_the_name_does_not_count() -> None:
    with taddons.context(loadcore=False) as context:
        context.master.addons.add(Script("none", None), Script("module", types))
        assert ShadowHook(context.master.addons).having() == ()


async def test_hooks_are_called_in_order_and_awaited() -> None:
    called = []

    async def slow(flow: http.HTTPFlow) -> None:
        await asyncio.sleep(0)
        called.append("slow")

    with taddons.context() as context:
        context.master.addons.add(Script("a", slow), Script("b", lambda flow: called.append("quick")))
        await ShadowHook(context.master.addons).call(tflow.tflow())
    assert called == ["slow", "quick"]


@pytest.mark.parametrize("how", ["kill", "halt"])
async def test_a_script_ends_the_chain(how: str) -> None:
    def end(flow: http.HTTPFlow) -> None:
        if how == "halt":
            raise exceptions.AddonHalt
        flow.kill()

    flow = tflow.tflow()
    flow.live = True
    with taddons.context() as context:
        context.master.addons.add(Script("a", end), Script("b", lambda flow: pytest.fail("it ended")))
        await ShadowHook(context.master.addons).call(flow)
    assert (flow.error is not None) == (how == "kill")


async def test_what_a_script_raises_is_raised() -> None:
    def fail(flow: http.HTTPFlow) -> None:
        raise LookupError("no token")

    with taddons.context() as context:
        context.master.addons.add(Script("a", fail))
        with pytest.raises(LookupError, match="no token"):
            await ShadowHook(context.master.addons).call(tflow.tflow())
