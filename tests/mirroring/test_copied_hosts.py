from __future__ import annotations

import re
from typing import Any

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.mirroring.copied_hosts import copied
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [%s]
  http: [{directResponse: {status: 200}}]
"""


def lines(*urls: str, hosts: str = "", modes: Any = ("regular",)) -> list[str]:
    settings = parse_settings({option.name: option.default for option in OPTIONS} | {"mirror_to": list(urls)})
    resources = parse_sources([Source("a.yaml", (RULES % hosts).encode())]).resources if hosts else ()
    return list(copied(settings, RouteTable.build(resources, Identity()), modes))


@pytest.mark.parametrize("mode", ["regular", "regular@8081", "upstream:http://a:1", "socks5", "transparent", "local"])
def test_everything_with_its_credentials(mode: str) -> None:
    (line,) = lines("http://localhost:9002/base", modes=["reverse:http://a", mode])
    assert line.startswith(
        "mirror_to=http://localhost:9002/base: requests to all hosts are copied to http://localhost:9002"
    )
    assert "Authorization, Cookie" in line and "Set-Cookie" not in line


def test_the_hosts_of_the_rules_are_not(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines("http://localhost:9002", hosts="a.test, b.test")
    assert "all hosts except those of the rules (a.test, b.test) are copied" in line
    (line,) = lines("http://localhost:9002", hosts=", ".join(f"h{number}.test" for number in range(99)))
    assert "(h0.test, h1.test, h2.test, h3.test, h4.test and 94 more)" in line


def test_nothing_is_said_where_it_is_narrowed() -> None:
    assert lines() == []
    assert lines("|~d shop.test|http://localhost:9002") == []
    assert lines("http://localhost:9002", modes=["reverse:http://a", "dns"]) == []
    assert len(lines("|~d shop.test|http://localhost:9002", "http://localhost:9003")) == 1


def test_the_advice_works(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines("http://localhost:9002/base")
    advised = re.search(r"--set mirror_to='(.*)'$", line)
    assert advised
    assert lines(advised[1].replace("HOST", "shop.test")) == []
