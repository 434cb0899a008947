"""The types of messages from files: `.proto` files, folders of them, and descriptor sets."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from mirror_addon.inputs.opening import read_input
from mirror_addon.options.settings import OptionError

LIMIT = 60.0
"""Seconds that the compiler may take for one path."""
MAX_BYTES = 8 * 1024 * 1024
"""The most bytes of all descriptors: workers get them in the head of one frame."""
MAX_FILES = 5000
_IMPORT = re.compile(r"^\s*import\s+(?:public\s+|weak\s+|option\s+)?[\"']([^\"']+)[\"']\s*;", re.MULTILINE)
_ANCESTORS = 6
"""Folders above a path in which its imports are looked for."""


@lru_cache(maxsize=4)
def read_protos(paths: tuple[str, ...]) -> bytes:
    """The types that these paths have, as a serialised FileDescriptorSet; empty for no path. They are read once.

    Raises OptionError, whose message has the compiler's.
    """
    found = b"".join(_read(Path(os.path.expanduser(path)), path) for path in paths)
    if len(found) > MAX_BYTES:
        raise OptionError(f"mirror_protos: {len(found)} bytes of descriptors; at most {MAX_BYTES} are read, name fewer")
    if found:
        from mirror_addon.compare.messages.schema import Schema  # imports google.protobuf, and most name no types

        try:
            problems = Schema(found).problems
        except ValueError as error:
            raise OptionError(f"mirror_protos={','.join(paths)}: {error}") from None
        if problems:
            raise OptionError(f"mirror_protos={','.join(paths)}: {problems[0]}")
    return found


def _read(path: Path, given: str) -> bytes:
    if path.is_dir():
        files = sorted(path.rglob("*.proto"))[: MAX_FILES + 1]
        sets = sorted(each for pattern in _SETS for each in path.rglob(pattern))
        if not files and not sets:
            raise OptionError(f"mirror_protos={given}: there is no .proto file and no descriptor set in this folder")
        if len(files) > MAX_FILES:
            raise OptionError(f"mirror_protos={given}: more than {MAX_FILES} files; name a smaller folder")
        return b"".join(map(_bytes_of, sets)) + (_compiled(files, _root(path, files), given) if files else b"")
    if not path.is_file():
        raise OptionError(f"mirror_protos={given}: no such file or folder")
    if path.suffix == ".proto":
        return _compiled([path], _root(path.parent, [path]), given)
    data = _bytes_of(path)
    try:
        from mirror_addon.compare.messages.schema import Schema

        Schema(data)
    except ValueError as error:
        raise OptionError(
            f"mirror_protos={given}: {error}; name a .proto file, or one that protoc --descriptor_set_out wrote"
        ) from None
    return data


_SETS = ("*.desc", "*.pb", "*.protoset", "*.binpb")


def _bytes_of(path: Path) -> bytes:
    try:
        return read_input(path, MAX_BYTES)
    except OSError as error:
        raise OptionError(f"mirror_protos={path}: {error.strerror or error}") from None


def _root(folder: Path, files: Sequence[Path]) -> Path:
    """The folder that imports are relative to: this one or one above it, whichever has most of the imported files."""
    imports = {
        name
        for file in files
        for name in _IMPORT.findall(_bytes_of(file).decode("utf-8", "replace"))
        if not name.startswith("google/protobuf/")
    }
    folder = folder.resolve()
    roots = [folder, *folder.parents[:_ANCESTORS]]
    return max(roots, key=lambda root: sum((root / name).is_file() for name in imports))  # the nearest of equal ones


def _compiled(files: Sequence[Path], root: Path, given: str) -> bytes:
    command = _compiler(given)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "set")
        names = Path(folder, "files")  # a file of arguments, because a command line has a limit
        relative = (os.path.relpath(file.resolve(), root) for file in files)
        names.write_text("\n".join(relative), "utf-8", "surrogateescape")
        command += [f"-I{root}", *_extra_roots(), "--include_imports", f"--descriptor_set_out={output}", f"@{names}"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=LIMIT, cwd=root, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise OptionError(f"mirror_protos={given}: compiling took more than {LIMIT:g} s") from None
        except OSError as error:
            raise OptionError(f"mirror_protos={given}: protoc cannot be run: {error}") from None
        if done.returncode or not output.exists():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            errors = [line for line in said if ": warning: " not in line] or ["protoc failed"]
            raise OptionError(f"mirror_protos={given}: {'; '.join(errors[:5])}")
        return output.read_bytes()


def _compiler(given: str) -> list[str]:
    if importlib.util.find_spec("grpc_tools") is not None:
        return [sys.executable, "-m", "grpc_tools.protoc"]
    if protoc := shutil.which("protoc"):
        return [protoc]
    raise OptionError(
        f"mirror_protos={given}: .proto files are compiled by grpcio-tools, which is not installed; install "
        "mirror_addon[grpc], or name a descriptor set: protoc --include_imports --descriptor_set_out=FILE"
    )


def _extra_roots() -> list[str]:
    """Where googleapis-common-protos has google/api, google/rpc and google/type."""
    try:
        found = importlib.util.find_spec("google.rpc")
    except ModuleNotFoundError:
        return []
    places = found.submodule_search_locations if found is not None else None
    return [f"-I{Path(place).parents[1]}" for place in places or ()]
