from __future__ import annotations

import re
from importlib.metadata import version

import mirror_addon
from mirror_addon._version import __version__


def test_the_version_is_the_same_everywhere() -> None:
    assert mirror_addon.__version__ == version("mirror_addon") == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
