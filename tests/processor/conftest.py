"""A processor's engine without workers, and its tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from processortools import Told
from processortools import table_of

from mirror_addon.routing.table import RouteTable


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def tell() -> Callable[..., Told]:
    return Told


@pytest.fixture
def tables() -> Callable[..., RouteTable]:
    return table_of
