from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from collections.abc import Sequence
from typing import Any

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from mirror_addon.host.proxy_options import ProxyOptions


@pytest.fixture
async def options() -> AsyncIterator[Any]:
    with taddons.context(Proxyserver()) as context:
        yield context.options


def values(options: Any) -> tuple[bool, str]:
    return options.keep_host_header, options.connection_strategy


async def test_defaults_are_replaced_and_restored(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    before = values(options)
    ours = ProxyOptions()
    with caplog.at_level(logging.INFO):
        ours.apply()
    assert values(options) == (True, "lazy")
    assert "set keep_host_header=true" in caplog.text and "set connection_strategy=lazy" in caplog.text
    ours.take_back()
    assert values(options) == before


async def test_what_the_user_set_at_the_start_stays(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    options.update(keep_host_header=True)
    ours = ProxyOptions()
    with caplog.at_level(logging.INFO):
        ours.apply()
    assert "keep_host_header" not in caplog.text
    ours.take_back()
    assert values(options) == (True, options.default("connection_strategy"))


async def test_what_the_user_sets_later_stays(options: Any) -> None:
    ours = ProxyOptions()
    ours.apply()
    options.update(connection_strategy="eager")
    ours.apply()
    assert options.connection_strategy == "eager"
    options.update(keep_host_header=False)
    ours.take_back()
    assert values(options) == (False, "eager")


COLUMNS = ["icon", "path", "method"]


async def test_mitmweb_shows_comments(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    options.add_option("web_columns", Sequence[str], COLUMNS, "")
    ours = ProxyOptions()
    with caplog.at_level(logging.INFO):
        ours.apply()
    assert options.web_columns == ["icon", "path", "comment", "method"]
    assert "set web_columns=icon,path,comment,method, which shows the verdicts of shadows" in caplog.text
    ours.take_back()
    assert options.web_columns == COLUMNS
    assert not options.has_changed("web_columns")


@pytest.mark.parametrize("columns", [["path"], ["comment", "path"]])
async def test_columns_of_the_user_stay(options: Any, columns: list[str]) -> None:
    options.add_option("web_columns", Sequence[str], COLUMNS, "")
    options.update(web_columns=columns)
    ours = ProxyOptions()
    ours.apply()
    assert options.web_columns == columns
    ours.take_back()
    assert options.web_columns == columns


async def test_columns_that_were_changed_since_stay(options: Any) -> None:
    options.add_option("web_columns", Sequence[str], COLUMNS, "")
    ours = ProxyOptions()
    ours.apply()
    options.update(web_columns=["path"])
    ours.apply()
    ours.take_back()
    assert options.web_columns == ["path"]


@pytest.mark.parametrize(("default", "set_"), [([], ["comment"]), (["comment"], ["comment"])])
async def test_another_default(options: Any, default: list[str], set_: list[str]) -> None:
    options.add_option("web_columns", Sequence[str], default, "")
    ProxyOptions().apply()
    assert options.web_columns == set_


async def test_options_are_set_again_after_a_reload(options: Any) -> None:
    for ours in (ProxyOptions(), ProxyOptions()):
        ours.apply()
        assert values(options) == (True, "lazy")
        ours.take_back()
