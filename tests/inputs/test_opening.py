"""Files that are opened for reading: of every kind, and none of them is waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mirror_addon.inputs.opening import is_of_the_system
from mirror_addon.inputs.opening import open_input
from mirror_addon.inputs.opening import read_input


def test_a_regular_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(file)
    assert read_input(file, 10) == read_input(str(tmp_path / "link"), 11) == b"x" * 10
    with pytest.raises(OSError, match="has more than 9 bytes"):
        read_input(file, 9)
    descriptor = open_input(file)
    assert os.get_blocking(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("pipes", [True, False])
def test_what_is_none_is_refused_at_once(tmp_path: Path, pipes: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        before = len(os.listdir("/proc/self/fd"))
        for path, why in [
            (tmp_path / "pipe", "is a named pipe"),
            (tmp_path, "Is a directory"),
            (Path("/dev/zero"), "is no regular file"),
            (Path("/dev/urandom"), "is no regular file"),
            (tmp_path / "socket", "No such device or address"),
            (tmp_path / "missing", "No such file or directory"),
            (Path("/proc/self/environ"), "is a file of the system"),
            (tmp_path / "\udcff", "No such file or directory"),
        ]:
            with pytest.raises(OSError, match=why):
                read_input(path, 10, pipes=pipes)
        assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ValueError, match="null"):
        read_input("a\0b", 10)


def test_nothing_is_empty() -> None:
    assert read_input(os.devnull, 10) == b""


def test_a_pipe_of_a_shell() -> None:
    """As `<(command)` passes it: a name of a pipe without a name."""
    program = (
        "import sys; from mirror_addon.inputs.opening import read_input; print(read_input(sys.argv[1], 99, pipes=True))"
    )
    command = ["bash", "-c", f'"$0" -c "{program}" <(sleep 0.2; printf abc; sleep 0.2; printf def)', sys.executable]
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": source})
    assert done.stdout == "b'abcdef'\n", done.stderr


def test_a_pipe_is_refused_where_it_is_not_meant() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="named pipe"):
            read_input(f"/proc/self/fd/{reading}", 9)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_file_that_is_longer_than_it_says(tmp_path: Path) -> None:
    """Its length is not asked for: another process may write to it."""
    file = tmp_path / "a"
    file.write_bytes(b"x" * (3 << 20))
    assert len(read_input(file, 3 << 20)) == 3 << 20
    with pytest.raises(OSError, match="has more than"):
        read_input(file, (3 << 20) - 1)


def test_the_system() -> None:
    assert is_of_the_system(os.stat("/proc/self")) and is_of_the_system(os.stat("/sys"))
    assert not is_of_the_system(os.stat("/")) and not is_of_the_system(os.stat(__file__))
