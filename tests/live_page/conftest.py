"""A page over a state that tests set, without a proxy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.live_page.app import create_app
from mirror_addon.live_page.lazy_app import LazyApp
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.live_page.state import State
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_statistics import PairStatistics

RULES = Path(__file__).parents[2] / "rules"


def pair(text: str = "x", **changes: Any) -> Pair:
    """A differing pair with `text` wherever somebody else's text can stand."""
    difference = Difference(f"$.{text}", "value", text, {text: [text]})
    comparison = changes.pop("comparison", Comparison("different", (difference,), (text,)))
    result = changes.pop("result", ShadowResult("f/0", text, "sent", status=500, total_ms=20))
    fields: dict[str, Any] = {"id": text, "rule": text, "route": text, "method": text, "url": text, "control": False}
    fields |= {"primary_status": 200, "primary_ms": 10.0} | changes
    return Pair(flow_id="f", target=result.label, result=result, comparison=comparison, **fields)


@dataclass
class FakeSource:
    """Remembers what the page asked for."""

    now: State
    commands: list[tuple[str, ...]] = field(default_factory=list)
    times_opened: int = 0
    refuses: str = ""

    def state(self) -> State:
        return self.now

    def opened(self) -> None:
        self.times_opened += 1

    def command(self, name: str, *arguments: str) -> str:
        if self.refuses:
            raise CommandRefused(self.refuses)
        self.commands.append((name, *arguments))
        return f"{name} is done"


class BufferedClient(FlaskClient):
    """Reads and closes every answer, as both servers do."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return super().open(*args, **{"buffered": True, "base_url": "http://mirror-addon.test"} | kwargs)


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., Pair]:
    return pair


@pytest.fixture(scope="session")
def example_table() -> RouteTable:
    """The worked example's rules."""
    options = {option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(RULES)]}
    table = load_rule_set(parse_settings(options), b"10.0.0.1").table
    assert table is not None
    return table


@pytest.fixture
def state() -> State:
    return State(now=time.time(), mode="mirroring", statistics=PairStatistics())


@pytest.fixture
def source(state: State) -> FakeSource:
    return FakeSource(state)


@pytest.fixture
def given(source: FakeSource) -> Callable[..., None]:
    """Changes fields of the state."""

    def change(**changes: Any) -> None:
        source.now = replace(source.now, **changes)

    return change


@pytest.fixture
def client(source: FakeSource) -> FlaskClient:
    app = create_app(source)
    app.test_client_class = BufferedClient
    made = app.test_client()
    return made


@pytest.fixture
def lazy_app(source: FakeSource) -> LazyApp:
    """An app over the state."""
    return LazyApp(lambda: create_app(source))
