from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirror_addon.compare import record_file
from mirror_addon.compare.record_file import RecordFile
from mirror_addon.compare.record_file import last_lines
from mirror_addon.compare.record_file import rotated_name
from mirror_addon.compare.record_file import why_no_folder
from mirror_addon.compare.record_file import why_unwritable

SOURCE = str(Path(record_file.__file__).parents[2])


def line(id: str, size: int = 0) -> bytes:
    return b'{"version":1,"id":"%s","x":"%s"}\n' % (id.encode(), b"x" * size)


def ids(path: Path) -> list[str]:
    return [json.loads(each)["id"] for each in path.read_bytes().splitlines()]


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line("before"))
    file = RecordFile(path)
    file.append(line("a"))
    file.append(line("b"))
    file.close()
    assert ids(path) == ["before", "a", "b"]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (line("a") + b'{"version":1,"id":"b', line("a")),
        (b'{"ver', b""),
        (line("a")[:-1], line("a")),
        (b"a shopping list", b"a shopping list\n"),
    ],
)
def test_half_a_line_of_ours_is_cut_off_and_a_strangers_is_not(tmp_path: Path, left: bytes, kept: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(left)
    RecordFile(path).append(line("c"))
    assert path.read_bytes() == kept + line("c")


def test_a_file_that_is_moved_or_removed_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    file.append(line("a"))
    path.rename(tmp_path / "old")
    file.append(line("b"))
    path.unlink()
    file.append(line("c"))
    assert (ids(tmp_path / "old"), ids(path)) == (["a"], ["c"])


def test_it_is_begun_again_when_it_is_big(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    (tmp_path / "r.1.jsonl").write_bytes(line("0"))
    file = RecordFile(path, rotate=3 * len(line("1")))
    for number in range(1, 9):
        file.append(line(str(number)))
    assert ids(path) == ["7", "8"]
    assert [ids(rotated_name(path, number)) for number in (1, 2, 3)] == [["0"], ["1", "2", "3"], ["4", "5", "6"]]
    file.append(line("big", 1000))
    assert ids(path) == ["big"]


def test_names_of_rotated_files() -> None:
    assert rotated_name(Path("a/r.jsonl"), 2) == Path("a/r.2.jsonl")
    assert rotated_name(Path("r"), 1) == Path("r.1")


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mirror_addon.compare.record_file import RecordFile
from mirror_addon.compare import record_file
file = RecordFile(Path(sys.argv[2]), int(sys.argv[4]))
if sys.argv[7]:
    file._lock = lambda: record_file.Lock.BUSY
print("ready", flush=True)
sys.stdin.readline()
number = 0
while number < int(sys.argv[5]):
    file.append(b'{"version":1,"id":"%s-%d","x":"%s"}\\n' % (sys.argv[3].encode(), number, b"x" * int(sys.argv[6])))
    number += 1
"""


def writer(
    path: Path, name: str, rotate: int, lines: int, size: int = 100, without_lock: str = ""
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, SOURCE, str(path), name, str(rotate), str(lines), str(size), without_lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def begin(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()


def test_several_processes_share_it_and_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    processes = [writer(path, name, 20_000, 1000) for name in "abc"]
    begin(*processes)
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
    files = sorted(tmp_path.iterdir())
    assert len(files) > 5  # twenty, unless a process had to wait for the lock for too long
    written = [id for file in files for id in ids(file)]
    assert sorted(written) == sorted(f"{name}-{number}" for name in "abc" for number in range(1000))


def test_a_frozen_process_that_has_the_lock_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file = RecordFile(path, rotate=1)
        file.append(line("a"))
        file.append(line("b"))
    assert ids(path) == ["a", "b"]


def test_a_process_killed_at_any_moment_leaves_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    for turn in range(3):
        process = writer(path, str(turn), 0, 10**9)
        begin(process)
        size = path.stat().st_size if path.exists() else 0
        while not path.exists() or path.stat().st_size < size + 10_000:
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate()
    RecordFile(path).append(line("end"))
    assert ids(path)[-1] == "end"


def test_a_line_that_is_being_written_without_the_lock_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    theirs = line("theirs")
    path.write_bytes(theirs[:20])  # so far; a process that did not get the lock holds that of the folder
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    real = os.pread

    def see(descriptor: int, size: int, at: int) -> bytes:
        seen = real(descriptor, size, at)
        if path.stat().st_size == 20:
            with path.open("ab") as other:
                other.write(theirs[20:])
        return seen

    monkeypatch.setattr(os, "pread", see)
    RecordFile(path).append(line("ours"))
    os.close(folder)
    assert ids(path) == ["theirs", "ours"]


def test_what_cannot_be_removed_safely_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line("theirs")[:20])
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    RecordFile(path).append(line("ours"))
    os.close(folder)
    assert path.read_bytes() == line("theirs")[:20] + b"\n" + line("ours")


def test_no_line_is_lost_beside_a_process_that_never_gets_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    processes = [writer(path, name, 0, 500, 20_000, "no" if name == "c" else "") for name in "abc"]
    begin(*processes)
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert sorted(ids(path)) == sorted(f"{name}-{number}" for name in "abc" for number in range(500))


def test_a_line_is_refused_when_both_locks_are_held(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another process holds the record's locks"):
            RecordFile(path).append(line("a"))
    os.close(folder)
    assert path.read_bytes() == b""


def test_a_full_disc_removes_no_line_of_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    file.append(line("a"))
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        monkeypatch.undo()
        with path.open("ab") as other:
            other.write(line("theirs"))
        real(descriptor, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        file.append(line("b"))
    file.append(line("c"))
    assert ids(path) == ["a", "theirs", "c"]


def test_a_folder_that_may_be_used_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line("theirs")[:20])
    real = os.open

    def refuse(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    RecordFile(path).append(line("ours"))
    assert path.read_bytes() == line("theirs")[:20] + b"\n" + line("ours")


def test_a_full_disc_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    file.append(line("a"))
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        file.append(line("b"))
    monkeypatch.undo()
    assert ids(path) == ["a"]
    file.append(line("c"))
    assert ids(path) == ["a", "c"]


def test_a_device_is_written_too() -> None:
    RecordFile(Path("/dev/null"), 1).append(line("a"))
    with pytest.raises(OSError, match="No space"):
        RecordFile(Path("/dev/full")).append(line("a"))


def test_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    assert why_unwritable(tmp_path / "new.jsonl") == ""
    assert (tmp_path / "new.jsonl").stat().st_mode & 0o077 == 0
    assert "is a folder" in why_unwritable(tmp_path)
    assert str(tmp_path / "no") in why_unwritable(tmp_path / "no" / "r.jsonl")
    assert "Not a directory" in why_unwritable(tmp_path / "new.jsonl" / "r.jsonl")
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in why_unwritable(tmp_path / "pipe")
    assert "cannot be written" in why_unwritable(Path("/proc/r.jsonl"))
    assert why_unwritable(Path("/dev/null")) == ""


def test_folders(tmp_path: Path) -> None:
    assert why_no_folder(tmp_path / "a" / "b") == ""
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0
    (tmp_path / "file").touch()
    assert "is no folder" in why_no_folder(tmp_path / "file")
    assert "cannot be made" in why_no_folder(tmp_path / "file" / "b")


def test_the_last_lines_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    assert last_lines(path) == {}
    rotated_name(path, 1).write_bytes(line("old"))
    rotated_name(path, 2).write_bytes(line("a"))
    path.write_bytes(line("b") + b"nonsense\n" + line("c")[:-2])
    found = last_lines(path)
    assert set(found) == {"a", "b", "c"}
    assert found["a"] == line("a").rstrip()


def test_closing_twice() -> None:
    file = RecordFile(Path("/dev/null"))
    file.append(line("a"))
    file.close()
    file.close()


def test_a_file_rotated_by_another_process_while_this_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    file = RecordFile(path)
    file.append(line("a"))
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if path.exists() and not rotated_name(path, 1).exists():
            path.rename(rotated_name(path, 1))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    file.append(line("b"))
    assert (ids(rotated_name(path, 1)), ids(path)) == (["a"], ["b"])


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    file = RecordFile(tmp_path / "r.jsonl", rotate=1)
    file.append(line("a"))
    file.append(line("b"))
    assert ids(tmp_path / "r.jsonl") == ["a", "b"]


def test_a_file_that_may_be_written_but_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"half a li")
    real = os.open

    def refuse(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    RecordFile(path).append(line("a"))
    assert path.read_bytes() == b"half a li" + line("a")


def test_a_full_disk_without_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file = RecordFile(path)
        real = os.write
        writes = iter((20, 0))

        def full(descriptor: int, data: bytes) -> int:
            if not (size := next(writes)):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data[:size])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            file.append(line("a"))
        monkeypatch.undo()
    assert path.read_bytes() == line("a")[:20]  # another process may have written since, so nothing is removed
    RecordFile(path).append(line("b"))
    assert ids(path) == ["b"]
