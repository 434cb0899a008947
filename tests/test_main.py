from __future__ import annotations

import subprocess
import sys

from mirror_addon._version import __version__


def test_the_package_is_the_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "mirror_addon", "--version"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout.split()) == (0, ["mirror-addon,", "version", __version__])


def test_its_exit_code_is_the_commands() -> None:
    found = subprocess.run([sys.executable, "-m", "mirror_addon", "xyzzy"], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "mirror-addon" in found.stderr
