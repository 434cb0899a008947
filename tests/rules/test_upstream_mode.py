from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.upstream_mode import upstream_mode_line


def table(*addresses: str) -> RouteTable:
    return RouteTable.build((), Identity(), mirror_to=[MirrorTo("http", address, 80) for address in addresses])


@pytest.mark.parametrize("modes", [["regular"], ["reverse:http://v1.test", "socks5"], ["upstream:"], ["nonsense"]])
def test_without_a_proxy_there_is_nothing_to_say(modes: Any) -> None:
    assert upstream_mode_line(modes, table()) == ""


def test_the_proxies_and_the_mirrors_outside_this_machine() -> None:
    near = upstream_mode_line(["regular", "upstream:http://proxy.test:3128"], table("127.0.0.1", "::1", "localhost"))
    assert "do not go through the upstream proxy proxy.test:3128 but" in near
    assert near.endswith("all other requests go through it")
    far = upstream_mode_line(["upstream:a.test:1", "upstream:b.test:2"], table("v2.test", "10.0.0.1", "127.0.0.1"))
    assert "the upstream proxy a.test:1 or the upstream proxy b.test:2" in far
    assert far.endswith("Mirrors outside this machine: v2.test:80, 10.0.0.1:80")
