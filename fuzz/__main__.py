"""`python -m fuzz TARGET [libFuzzer's arguments]`: atheris on one target, until it is stopped or finds a fault."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mirror_addon"]):
    from fuzz.targets import TARGETS


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


main()
