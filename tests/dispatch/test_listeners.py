"""What Linux says of listening sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mirror_addon.dispatch import listeners as module
from mirror_addon.dispatch.listeners import are_held
from mirror_addon.dispatch.listeners import holders_of
from mirror_addon.dispatch.listeners import listeners_of
from mirror_addon.shadow.request import Target


def target(address: str, port: int) -> Target:
    return Target("v2", address, port, False, "v2", None)


@pytest.mark.parametrize("address", ["10.0.0.1", "v2.test", "unix:///x"])
def test_addresses_of_which_nothing_is_listed(address: str) -> None:
    assert listeners_of(target(address, 80)) is None


def test_another_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROC", tmp_path)
    assert listeners_of(target("127.0.0.1", 80)) is None


def test_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROC", tmp_path)
    folder = tmp_path / "self" / "net"
    folder.mkdir(parents=True)
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   {}: 0100007F:{:04X} 00000000:0000 {} 00000000:00000000 00:00000000 00000000  1000        0 {} 1 x 100\n"
    (folder / "tcp").write_text(head + line.format(0, 9001, "0A", 11) + line.format(1, 9002, "0A", 12))
    assert listeners_of(target("127.0.0.1", 9002)) == {"socket:[12]"}
    established = line.format(1, 9002, "01", 14)
    (folder / "tcp6").write_text(head + line.format(0, 9002, "0A", 13) + established + line.format(2, 9002, "0A", 15))
    # Those that listen stand first; nothing after them is read.
    assert listeners_of(target("localhost", 9002)) == {"socket:[12]", "socket:[13]"}
    assert listeners_of(target("::1", 9003)) == frozenset()


def test_a_socket_its_holders_and_their_end() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        here = target("127.0.0.1", listener.getsockname()[1])
        assert listeners_of(here) == frozenset()
        listener.listen()
        found = listeners_of(here)
        assert found == {os.readlink(f"/proc/self/fd/{listener.fileno()}")}
        mine = f"/proc/{os.getpid()}/fd/{listener.fileno()}"
        command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        with subprocess.Popen(
            command, pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            holders = holders_of(found)
            assert {path for path, _ in holders} == {mine, f"/proc/{child.pid}/fd/{listener.fileno()}"}
            assert are_held(holders)
        assert not are_held(holders)
        assert {path for path, _ in holders_of(found)} == {mine}
    assert are_held(frozenset())
