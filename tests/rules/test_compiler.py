from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from livetools.children import at_work
from livetools.children import children
from livetools.children import compilers
from livetools.children import many_routes
from livetools.children import wait_for
from livetools.proxy import state

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules import compiler as module
from mirror_addon.rules.compiler import Closed
from mirror_addon.rules.compiler import CompilerFailed
from mirror_addon.rules.compiler import RulesCompiler
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.transfer import unpack

OWN = b"192.0.2.1"
EXAMPLE = Path(__file__).parents[2] / "rules"


def settings(*rules: str | Path, **options: Any) -> Settings:
    values = {option.name: option.default for option in OPTIONS} | options
    return parse_settings(values | {"mirror_rules": [str(path) for path in rules]})


@pytest.fixture(autouse=True)
def leaves_nothing() -> Iterator[None]:
    """No process, and none that nobody waited for."""
    before = children()
    yield
    assert children() <= before


def background(work: Callable[[], bytes]) -> Future[bytes]:
    """A thread like those of `asyncio.to_thread`."""
    future: Future[bytes] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@pytest.fixture
def large(tmp_path: Path) -> Settings:
    (tmp_path / "many.yaml").write_text(many_routes(10_000))
    return settings(tmp_path)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_good_set(unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    (tmp_path / "many.yaml").write_text(many_routes(100))
    given = settings(EXAMPLE, tmp_path, mirror_endpoints=["serviceB/v1=127.0.0.1:9"], mirror_to=["http://b.test"])
    compiler = RulesCompiler()
    for _ in range(2):
        made = unpack(compiler.compile(given, OWN))
        expected = load_rule_set(given, OWN)
        assert not made.refused and made.rules == expected.rules > 100
        assert list(rule_lines(made.table)) == list(rule_lines(expected.table))
        assert (made.mirrors, made.unsafe) == (expected.mirrors, expected.unsafe)
        assert made.table.identity == expected.table.identity and made.table.identity.local_address == OWN


@pytest.mark.parametrize("content", [b"kind: [", b"\xff\xfe\x00\xd8", b"\x00\x01\x02", b"kind: \xc3\x28"])
def test_a_refused_set_has_an_empty_table_and_says_why(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    given = settings(EXAMPLE, tmp_path)
    made = unpack(RulesCompiler().compile(given, OWN))
    assert made.refused and made.table.pieces() == []
    assert made.diagnostics == load_rule_set(given, OWN).diagnostics != ()


def test_relative_paths_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, name in (("work", "one"), ("home", "two")):
        (tmp_path / folder).mkdir()
        text = many_routes(1).replace("name: many", f"name: {name}").replace("many.test", f"{name}.test")
        (tmp_path / folder / "rules.yaml").write_text(text)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = settings("rules.yaml", "~/rules.yaml")
    made = unpack(RulesCompiler().compile(given, OWN))
    assert not made.refused and [host.host for host in made.table.virtual_hosts] == ["one.test", "two.test"]
    assert made.table.virtual_hosts[0].services[0].entries[0].route.rule.location.startswith("rules.yaml:")


def test_without_an_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CompilerFailed, match="cannot be started: No such file"):
        RulesCompiler().compile(settings(EXAMPLE), OWN)


def test_it_says_of_what_it_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yaml.py").write_text("raise ImportError('this library is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CompilerFailed, match=r"^ImportError: this library is broken$"):
        RulesCompiler().compile(settings(EXAMPLE), OWN)


def test_killed_while_it_works(large: Settings) -> None:
    compiler = RulesCompiler()
    result = background(lambda: compiler.compile(large, OWN))
    (pid,) = wait_for(compilers)
    wait_for(lambda: at_work(pid))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CompilerFailed, match="ended by signal 9, for want of memory"):
        result.result(30)
    assert not unpack(compiler.compile(settings(EXAMPLE), OWN)).refused, "the next one works"


def test_impatience(large: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(CompilerFailed, match=r"not done in 0\.05 s"):
        RulesCompiler().compile(large, OWN)


def test_closed_while_it_works(large: Settings) -> None:
    compiler = RulesCompiler()
    result = background(lambda: compiler.compile(large, OWN))
    (pid,) = wait_for(compilers)
    wait_for(lambda: at_work(pid))
    compiler.close()
    with pytest.raises(Closed):
        result.result(30)


def test_closed_as_soon_as_it_is_started(large: Settings) -> None:
    compiler = RulesCompiler()
    result = background(lambda: compiler.compile(large, OWN))
    wait_for(lambda: children() or result.done())
    compiler.close()
    with pytest.raises(Closed):
        result.result(30)


def test_closed_before(large: Settings) -> None:
    compiler = RulesCompiler()
    compiler.close()
    compiler.close()
    with pytest.raises(Closed):
        compiler.compile(large, OWN)


def test_another_version_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody upgraded while the proxy ran."""
    (tmp_path / "mirror_addon").mkdir()
    source = tmp_path / "mirror_addon" / "table.py"
    source.write_text("")
    monkeypatch.setattr(module, "_PACKAGE", source.parent)
    compiler = RulesCompiler()
    os.utime(source, (1e9, 2e9))
    with pytest.raises(CompilerFailed, match="files were changed since the proxy started"):
        compiler.compile(settings(EXAMPLE), OWN)


ROOT = str(Path(module.__file__).parents[2])


def test_an_orphan_does_not_begin(large: Settings) -> None:
    asked = pickle.dumps((large, OWN))
    command = [sys.executable, "-P", "-c", module._PROGRAM, ROOT, str(os.getpid() + 1)]
    done = subprocess.run(command, input=asked, capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_it_dies_with_its_parent(large: Settings) -> None:
    """Even one that does nothing, and so would not end by itself."""
    program = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from mirror_addon.rules.compiler import RulesCompiler
import asyncio
asyncio.run(asyncio.to_thread(RulesCompiler().compile, *pickle.load(sys.stdin.buffer)))
"""
    with subprocess.Popen([sys.executable, "-c", program, ROOT], stdin=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        parent.stdin.write(pickle.dumps((large, OWN)))
        parent.stdin.close()
        (pid,) = wait_for(lambda: compilers(parent.pid))
        wait_for(lambda: at_work(pid))
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    try:
        wait_for(lambda: state(pid) in (None, "Z"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
