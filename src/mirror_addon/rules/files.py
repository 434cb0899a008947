"""Rules on disk: which files are read, and everything that reading them gives. The rim of `istio`, with its I/O."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import SCHEMA_ERROR
from mirror_addon.istio.limits import MAX_BYTES
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.rules.annotation_checks import CHECKS

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class LoadedRules:
    """A whole rules set, diagnostics in order of file and line.

    `refused`: the set must not replace a running one, for YAML that does not parse, a path that is not there, or an
    IST0106 error.
    """

    resources: tuple[Resource[Any], ...]
    diagnostics: tuple[Diagnostic, ...]
    skipped: Mapping[str, int]
    refused: bool


def rules_paths(names: Sequence[str]) -> list[Path]:
    """The paths that `mirror_rules` names, `~` and `~name` resolved where there is such a user."""
    return [Path(os.path.expanduser(name)) for name in names]


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; not where that cannot be known (a folder above that may not be searched, a
    name that is too long), for which `Path.exists` raises."""
    return os.path.exists(path)


def load_rules(
    paths: Sequence[Path | str],
    *,
    default_namespace: str = "default",
    overrides: Collection[tuple[str, str]] = (),
) -> LoadedRules:
    """Reads, validates and analyzes the files and folders in `paths`.

    `overrides` are the full host and subset (or "") of endpoints given by option; they satisfy references.
    """
    sources, unreadable = read_rules(paths)
    parsed = parse_sources(sources, default_namespace=default_namespace, annotation_checks=CHECKS)
    found = [*unreadable, *parsed.diagnostics, *analyze(parsed.resources, overrides=overrides)]
    return LoadedRules(
        resources=parsed.resources,
        diagnostics=tuple(sorted(found)),
        skipped=parsed.skipped,
        refused=any(finding.code == SCHEMA_ERROR and finding.severity is Severity.ERROR for finding in found),
    )


def read_rules(paths: Sequence[Path | str]) -> tuple[list[Source], list[Diagnostic]]:
    """The files of `paths`, folders searched for *.yaml, *.yml and *.json, in order of their names.

    Names that begin with a dot are left out below a folder (a ConfigMap's `..data`, editors' files); no file is read
    twice, by whatever name. What cannot be read is in the diagnostics. An empty folder gives nothing.
    """
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    seen: set[tuple[int, int]] = set()
    for path in map(Path, paths):
        for file in _files(path, problems):
            try:
                source = _read(file, seen)
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                why = error.strerror if isinstance(error, OSError) and error.strerror else error
                problems.append(_problem(file, f"cannot be read: {why}; {_cure(error)}"))
                continue
            if source is not None:
                sources.append(source)
    return sources, problems


def state_of(paths: Sequence[Path | str]) -> dict[str, tuple[int, int, int]]:
    """Inode, bytes and time of change (nanoseconds) of all files that `read_rules` reads, as far as they can be known:
    who finds another state has other rules to read."""
    found = {}
    for path in map(Path, paths):
        for file in _files(path, []):
            with contextlib.suppress(OSError, ValueError):
                status = file.stat()
                found[str(file)] = status.st_ino, status.st_size, status.st_mtime_ns
    return found


def _files(path: Path, problems: list[Diagnostic]) -> Iterator[Path]:
    """The file itself, or a folder's files, symbolic links followed."""
    if not os.path.isdir(path):  # never raises, as Path.is_dir may
        yield path
        return
    visited: set[tuple[int, int]] = set()

    def failed(error: OSError) -> None:
        problems.append(_problem(Path(error.filename), f"cannot be read: {error.strerror}; {_cure(error)}"))

    for folder, folders, names in os.walk(path, onerror=failed, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def _read(file: Path, seen: set[tuple[int, int]]) -> Source | None:
    """The file's bytes, one more than allowed at most; None where they were read before."""
    # Not to wait for a pipe's writer; asked of the open file, so that it is the one that is read.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no regular file")
        if (status.st_dev, status.st_ino) in seen:
            return None
        seen.add((status.st_dev, status.st_ino))
        return Source(str(file), opened.read(MAX_BYTES + 1), status.st_mtime)


def _cure(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "give an existing file or folder (option mirror_rules, or PATH)"
    if isinstance(error, PermissionError):
        return "let this user read it"
    return "remove it or give another"


def _problem(file: Path, message: str) -> Diagnostic:
    return Diagnostic(str(file), 1, 1, SCHEMA_ERROR, Severity.ERROR, message)
