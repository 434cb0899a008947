"""What tests of the views share."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mitmproxy.addons.view import View
from mitmproxy.test import taddons

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def view() -> AsyncIterator[View]:
    """The list of flows of a tool that has one."""
    shown = View()
    with taddons.context(shown):
        yield shown
