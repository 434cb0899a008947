"""A narrowed dispatch does what mitmproxy's own does, for whatever addons there are."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions
from mitmproxy import hooks
from mitmproxy import http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.command import CommandManager
from mitmproxy.optmanager import OptManager
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.addon import MirrorAddon
from mirror_addon.host.hook_dispatch import HookDispatch


@pytest.fixture
def manager() -> AddonManager:
    return bare_manager()


def bare_manager() -> AddonManager:
    """Of a master that has nothing but what its addons' registration needs."""
    master = types.SimpleNamespace(options=OptManager())
    master.commands = CommandManager(master)
    return AddonManager(master)


class Journal(logging.Handler):
    """Who was asked, and what was logged, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


class Plain:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def no_hook(addon: Any, journal: Journal, manager: AddonManager) -> None:
    pass


def sync(addon: Any, journal: Journal, manager: AddonManager) -> None:
    addon.request = lambda flow: journal.lines.append(addon.name)


def asynchronous(addon: Any, journal: Journal, manager: AddonManager) -> None:
    async def request(flow: http.HTTPFlow) -> None:
        journal.lines.append(f"{addon.name} begins")
        await asyncio.sleep(0)
        journal.lines.append(f"{addon.name} ends")

    addon.request = request


def giving_something(addon: Any, journal: Journal, manager: AddonManager) -> None:
    addon.request = lambda flow: journal.lines.append(addon.name) or "not awaitable"


def raising(error: Exception) -> Callable[[Any, Journal, AddonManager], None]:
    def prepare(addon: Any, journal: Journal, manager: AddonManager) -> None:
        def request(flow: http.HTTPFlow) -> None:
            journal.lines.append(addon.name)
            raise error

        addon.request = request

    return prepare


def of_value(value: object) -> Callable[[Any, Journal, AddonManager], None]:
    def prepare(addon: Any, journal: Journal, manager: AddonManager) -> None:
        addon.request = value

    return prepare


def both(addon: Any, journal: Journal, manager: AddonManager) -> None:
    sync(addon, journal, manager)
    addon.update = lambda flows: journal.lines.append(f"{addon.name} is told of {len(flows)}")


def refusing_attributes(addon: Any, journal: Journal, manager: AddonManager) -> None:
    class Refusing(Plain):
        def __getattr__(self, name: str) -> object:
            if name == "request":
                raise RuntimeError(f"{self.name} has no {name}")
            raise AttributeError(name)

    addon.__class__ = Refusing


def appending(addon: Any, journal: Journal, manager: AddonManager) -> None:
    def request(flow: http.HTTPFlow) -> None:
        journal.lines.append(addon.name)
        late = Plain(f"{addon.name}, {len(manager.chain)}")
        sync(late, journal, manager)
        manager.add(late)

    addon.request = request


def after(addon: Any, manager: AddonManager) -> list[Any]:
    """The next in the chain, if there is one."""
    position = manager.chain.index(addon)
    return manager.chain[position + 1 : position + 2]


def removing_the_next(addon: Any, journal: Journal, manager: AddonManager) -> None:
    def request(flow: http.HTTPFlow) -> None:
        journal.lines.append(addon.name)
        for following in after(addon, manager):
            manager.remove(following)

    addon.request = request


def giving_the_next_a_hook(addon: Any, journal: Journal, manager: AddonManager) -> None:
    def request(flow: http.HTTPFlow) -> None:
        journal.lines.append(addon.name)
        for following in after(addon, manager):
            sync(following, journal, manager)

    addon.request = request


KINDS = {
    "no hook": no_hook,
    "sync": sync,
    "async": asynchronous,
    "giving something": giving_something,
    "raising": raising(ValueError("broken")),
    "halting": raising(exceptions.AddonHalt()),
    "refusing an option": raising(exceptions.OptionsError("bad")),
    "a module": of_value(types),
    "not callable": of_value(7),
    "false": of_value(0),
    "with update": both,
    "refusing attributes": refusing_attributes,
    "appending": appending,
    "removing the next": removing_the_next,
    "giving the next a hook": giving_the_next_a_hook,
}

kinds = st.sampled_from(sorted(KINDS))
chains = st.lists(st.recursive(kinds, lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=4), max_size=6)


def build(tree: Any, name: str, journal: Journal, manager: AddonManager) -> Plain:
    """An addon of a kind, or one that holds others."""
    addon = Plain(name)
    if isinstance(tree, str):
        KINDS[tree](addon, journal, manager)
    else:
        inner = [build(each, f"{name}.{number}", journal, manager) for number, each in enumerate(tree)]
        addon.addons = inner  # type: ignore[attr-defined]
    return addon


async def dispatched(trees: list[Any], *, narrow: bool) -> list[str]:
    """What comes of a request, twice."""
    manager, journal = bare_manager(), Journal()
    logger = logging.getLogger("mitmproxy.addonmanager")
    logger.addHandler(journal)
    try:
        if narrow:
            assert HookDispatch().narrow(manager)
        manager.add(*(build(tree, f"a{number}", journal, manager) for number, tree in enumerate(trees)))
        for _ in range(2):
            try:
                await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
            except exceptions.OptionsError as error:
                journal.lines.append(f"raised {error}")
    finally:
        logger.removeHandler(journal)
    return journal.lines


@given(chains)
def test_it_asks_whom_mitmproxy_asks_and_says_what_it_says(trees: list[Any]) -> None:
    assert asyncio.run(dispatched(trees, narrow=True)) == asyncio.run(dispatched(trees, narrow=False))


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_each_kind_between_two_that_listen(kind: str) -> None:
    trees: list[Any] = ["sync", kind, "async", ["no hook", kind, "sync"], "sync"]
    lines = await dispatched(trees, narrow=True)
    assert lines == await dispatched(trees, narrow=False)
    assert lines[0] == "a0"


async def test_addons_without_the_hook_are_not_asked(manager: AddonManager) -> None:
    asked = []
    invoke = manager.invoke_addon

    async def invoke_addon(addon: Any, event: hooks.Hook) -> None:
        asked.append(addon.name)
        await invoke(addon, event)

    manager.invoke_addon = invoke_addon  # type: ignore[method-assign]
    journal = Journal()
    for name, kind in (("a", no_hook), ("b", sync), ("c", no_hook)):
        addon = Plain(name)
        kind(addon, journal, manager)
        manager.add(addon)
    await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert asked == ["a", "b", "c", "a", "b", "c"]
    asked.clear()
    # What somebody else put in its place is as little known as what another mitmproxy may have.
    assert not HookDispatch().narrow(manager)
    del manager.invoke_addon  # type: ignore[method-assign]
    dispatch = HookDispatch()
    assert dispatch.narrow(manager)
    manager.invoke_addon = invoke_addon  # type: ignore[method-assign]
    await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert asked == ["b"]
    assert journal.lines == ["b", "b"]


def test_widened_nothing_is_left(manager: AddonManager) -> None:
    before = dict(vars(manager))
    dispatch = HookDispatch()
    dispatch.widen()
    assert dispatch.narrow(manager)
    assert dispatch.narrow(manager)
    assert vars(manager).keys() == before.keys() | {"trigger_event"}
    dispatch.widen()
    dispatch.widen()
    assert vars(manager) == before


def test_what_came_later_stays(manager: AddonManager) -> None:
    async def another(event: hooks.Hook) -> None: ...

    dispatch = HookDispatch()
    assert dispatch.narrow(manager)
    manager.trigger_event = another  # type: ignore[method-assign]
    dispatch.widen()
    assert vars(manager)["trigger_event"] is another
    assert not dispatch.narrow(manager)
    assert vars(manager)["trigger_event"] is another


class Telling(AddonManager):
    async def invoke_addon(self, addon: object, event: hooks.Hook) -> None:
        """Does something for every addon."""


def test_a_dispatch_of_another_kind_is_left_alone(manager: AddonManager, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not HookDispatch().narrow(Telling(manager.master))

    async def trigger_event(self: AddonManager, event: hooks.Hook) -> None:
        for addon in self.chain:
            print(addon, self.lookup)

    monkeypatch.setattr(AddonManager, "trigger_event", trigger_event)
    assert not HookDispatch().narrow(manager)
    assert "trigger_event" not in vars(manager)


async def test_the_addon_narrows_it_while_it_lives_and_as_the_option_says(tmp_path: Any) -> None:
    (tmp_path / "none.yaml").write_text("")
    addon = MirrorAddon()
    with taddons.context(Proxyserver(), loadcore=False) as context:
        manager = context.master.addons
        manager.add(addon)
        context.configure(addon, mirror_rules=[str(tmp_path)])
        assert "trigger_event" in vars(manager), "this mitmproxy dispatches hooks in its own way: see hook_dispatch.py"
        context.configure(addon, mirror_fast_hooks=False)
        assert "trigger_event" not in vars(manager)
        context.configure(addon, mirror_fast_hooks=True)
        assert "trigger_event" in vars(manager)
        drained = addon.done()
        assert "trigger_event" not in vars(manager)
        if drained is not None:
            await drained


async def test_where_it_cannot_the_log_says_so(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mirror_addon.host.hook_dispatch._is_known", lambda manager: False)
    (tmp_path / "none.yaml").write_text("")
    addon = MirrorAddon()
    with caplog.at_level(logging.INFO), taddons.context(Proxyserver(), loadcore=False) as context:
        context.master.addons.add(addon)
        context.configure(addon, mirror_rules=[str(tmp_path)])
        assert "mirror_fast_hooks has no effect" in caplog.text
        if (drained := addon.done()) is not None:
            await drained
