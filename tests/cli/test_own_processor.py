from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mirror_addon.cli import own_processor
from mirror_addon.cli.own_processor import OwnProcessor
from mirror_addon.cli.own_processor import ProcessorError
from mirror_addon.cli.own_processor import processor_command


def program(text: str) -> OwnProcessor:
    return OwnProcessor([sys.executable, "-c", f"import signal, sys, time\n{text}"])


LISTENS = "print('reading rules\\nprocessor is listening at 127.0.0.1:9091', flush=True)\n"


def test_the_command_has_the_same_rules_and_options() -> None:
    made = processor_command(["a", "b"], ["mirror_record=x"])
    at = made.index("mirror_addon.cli.own_processor")
    assert made[at + 1 :] == [
        "--listen", "127.0.0.1:0", "--rules", "a", "--rules", "b", "--set", "mirror_record=x",
    ]  # fmt: skip


async def test_its_address_is_known_and_its_output_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    own = program(
        "def end(*_): print('drained', flush=True); sys.exit(0)\nsignal.signal(signal.SIGTERM, end)\n"
        f"{LISTENS}signal.pause()"
    )
    assert await own.start() == ("127.0.0.1", 9091)
    await own.stop()
    await own.stop()
    output = capsys.readouterr()
    assert output.out.splitlines()[:2] == ["reading rules", "processor is listening at 127.0.0.1:9091"]
    assert "requests pass" not in output.err


async def test_one_that_does_not_start_is_an_error() -> None:
    own = program("sys.exit(3)")
    with pytest.raises(ProcessorError, match="ended at its start with code 3"):
        await own.start()
    await own.stop()


async def test_one_that_does_not_listen_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_processor, "_STARTS_WITHIN", 0.05)
    own = program("time.sleep(60)")
    with pytest.raises(ProcessorError, match="did not listen within"):
        await own.start()
    await own.stop()


async def test_one_that_ends_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    own = program(f"{LISTENS}sys.exit(4)")
    await own.start()
    assert own._reading is not None
    await own._reading
    assert "ended with code 4; requests pass, and nothing is mirrored" in capsys.readouterr().err
    await own.stop()


async def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(own_processor, "_ENDS_WITHIN", 0.05)
    own = program(f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENS}time.sleep(60)")
    await own.start()
    assert own._process is not None
    await own.stop()
    assert own._process.returncode == -9
    with pytest.raises(ProcessLookupError):
        os.kill(own._process.pid, 0)
