"""Rules on disk: which files are read, and what they hold. The I/O of `istio`, which itself opens no file."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror_addon.gateway_api.analysis import analyze_gateway_api
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.inputs.opening import is_of_the_system
from mirror_addon.inputs.opening import open_input
from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import SCHEMA_ERROR
from mirror_addon.istio.limits import MAX_BYTES
from mirror_addon.istio.mesh_config import mesh_wide
from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import collector_paused
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.options.values import EndpointOverride
from mirror_addon.rules.annotation_checks import CHECKS
from mirror_addon.rules.option_names import NamedEndpoints
from mirror_addon.rules.option_names import resolve_endpoints

LINK_LEFT_OUT = errno.ELOOP
"""The error of a link that is not followed. It is a warning: nothing of the rules is missing."""
SUFFIXES = (".yaml", ".yml", ".json")

State = dict[str, tuple[int, ...]]
"""By path; see `state_of`."""


Parsed = dict[tuple[str, Source], ParsedRules]
"""Files that were parsed, by the namespace of documents without one, and name, content and time of change."""


@dataclass(frozen=True)
class LoadedRules:
    """A whole rule set, diagnostics in order of file and line.

    `refused`: the set must not replace the one in force, because of a path that cannot be read or, in a strict set,
    YAML that does not parse or an IST0106 error. `faulty` names the objects with such errors, which are among the
    resources of a strict set only.
    """

    resources: tuple[Resource[Any], ...]
    diagnostics: tuple[Diagnostic, ...]
    skipped: Mapping[str, int]
    refused: bool
    faulty: tuple[str, ...]
    broken: bool
    """Some of the rules could not be read at all: a path or a file, text that is not YAML, or with errors all of it."""
    endpoints: NamedEndpoints
    """Those given by option."""


def rules_paths(names: Sequence[str]) -> list[Path]:
    """The paths that the option `mirror_rules` names; `~` and `~name` are resolved where there is such a user."""
    return [Path(os.path.expanduser(name)) for name in names]


def is_there(path: Path) -> bool:
    """Whether there is a file or folder. False where that cannot be known (a folder above that may not be searched, a
    name that is too long): `Path.exists` raises there."""
    return os.path.exists(path)


def load_rules(
    paths: Sequence[Path | str],
    *,
    default_namespace: str = "default",
    endpoints: Sequence[EndpointOverride] = (),
    parsed: Parsed | None = None,
    strict: bool = True,
    given: Sequence[Source] = (),
) -> LoadedRules:
    """Read, validate and analyze the files and folders in `paths`, after the texts that are `given`.

    `strict`: one object that Istio would refuse refuses the set. Otherwise it is left out, as by an API server.
    `endpoints` are those given by option; they satisfy references.
    `parsed` holds what was parsed before: files that it has are not parsed again, and it then holds the present files.
    Raises OSError as `read_rules` does.
    """
    sources, unreadable = read_rules(paths)
    sources = [*given, *sources]
    before = parsed or {}
    with collector_paused():
        files = {
            (default_namespace, source): before.get((default_namespace, source))
            or parse_sources(
                [source], default_namespace=default_namespace, annotation_checks=CHECKS, extension=GATEWAY_API
            )
            for source in sources
        }
    if parsed is not None:
        parsed.clear()
        parsed.update(files)
    mesh = mesh_wide(
        [resource for file in files.values() for resource in file.resources if strict or not resource.refused]
    )
    resources = mesh.resources
    skipped: Counter[str] = Counter()
    for file in files.values():
        skipped.update(file.skipped)
    found = [*unreadable, *mesh.diagnostics]
    found += [finding for file in files.values() for finding in file.diagnostics if mesh.concerns(finding)]
    named = resolve_endpoints(endpoints, resources, default_namespace)
    broken = any(each.severity is Severity.ERROR for each in unreadable) or (
        strict and any(file.broken for file in files.values())
    )
    found += analyze(resources, overrides=named.overrides.keys())
    found += analyze_gateway_api(resources, overrides={host for host, _ in named.overrides})
    return LoadedRules(
        resources=resources,
        diagnostics=tuple(sorted(found)),
        skipped=skipped,
        refused=any(
            finding.code == SCHEMA_ERROR and finding.severity is Severity.ERROR
            for finding in (found if strict else unreadable)
        ),
        faulty=tuple(name for file in files.values() for name in file.refused),
        broken=broken or (not resources and any(finding.severity is Severity.ERROR for finding in found)),
        endpoints=named,
    )


def read_rules(paths: Sequence[Path | str]) -> tuple[list[Source], list[Diagnostic]]:
    """Read the files of `paths`; folders are searched for *.yaml, *.yml and *.json, in order of their names.

    Names that begin with a dot are left out below a folder (a ConfigMap's `..data`, editors' files). No file is read
    twice, by whatever name. The diagnostics list what cannot be read. An empty folder gives nothing.
    Raises OSError where no file can be read at present, because descriptors or memory are used up.
    """
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    seen: set[tuple[int, int]] = set()

    def failed(error: OSError) -> None:
        problems.append(_problem(Path(error.filename), error))

    for path in map(Path, paths):
        for file in _files(path, failed):
            try:
                source = _read(file, seen)
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                if is_used_up(error):
                    raise
                problems.append(_problem(file, error))
                continue
            if source is not None:
                sources.append(source)
    return sources, problems


def state_of(paths: Sequence[Path | str]) -> State:
    """The state of all that `read_rules` reads: whoever finds another state has other rules to read.

    Of a file these are its inode, its bytes, and its times of change in nanoseconds. The time of the inode (ctime)
    tells of changed permissions, and of content that was copied together with its time. Raises OSError where the state
    cannot be known at present, because descriptors or memory are used up.
    """
    found: State = {}

    def failed(error: OSError) -> None:
        found[str(error.filename)] = (error.errno or 0,)

    for path in map(Path, paths):
        if os.path.isdir(path):
            found[str(path)] = ()  # an empty folder and a missing one are not the same
        for file in _files(path, failed):
            try:
                status = file.stat()
            except (OSError, ValueError):
                continue
            found[str(file)] = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return found


def size_of(state: State) -> int:
    """The bytes of all files of a state."""
    return sum(status[1] for status in state.values() if len(status) > 1)


def content_of(paths: Sequence[Path | str]) -> bytes:
    """A digest of all that `read_rules` returns for `paths`. A file that is only touched, or is another file with the
    same text, does not change it. Raises OSError as `read_rules` does."""
    sources, problems = read_rules(paths)
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        name = os.fsencode(source.name)
        digest.update(b"%d %d %b" % (len(name), len(source.text), name) + source.text)
    digest.update("\n".join(map(str, problems)).encode("utf-8", "surrogateescape"))
    return digest.digest()


def _files(path: Path, failed: Callable[[OSError], None]) -> Iterator[Path]:
    """The file itself, or a folder's files, symbolic links followed. Folders that cannot be read go to `failed`.

    A link to the folder itself, to one above it, or into /proc or /sys is not followed and goes to `failed` as
    LINK_LEFT_OUT: what is there was not put there as rules.
    """
    if not os.path.isdir(path):  # never raises, as Path.is_dir may
        yield path
        return
    visited: set[tuple[int, int]] = set()
    above = {(status.st_dev, status.st_ino) for status in map(_status, Path(os.path.realpath(path)).parents) if status}

    def unreadable(error: OSError) -> None:
        if is_used_up(error):
            raise error
        failed(error)

    for folder, folders, names in os.walk(path, onerror=unreadable, followlinks=True):
        try:
            status = os.stat(folder)
        except OSError as error:  # it was removed after it was listed
            unreadable(error)
            folders.clear()
            continue
        if is_of_the_system(status) or (status.st_dev, status.st_ino) in above:
            failed(OSError(LINK_LEFT_OUT, "it leads out of the folder of rules; not searched", folder))
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def is_used_up(error: BaseException | None) -> bool:
    """Whether the error says nothing about the file, but that descriptors or memory are used up at present."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def _read(file: Path, seen: set[tuple[int, int]]) -> Source | None:
    """The file's bytes, at most one more than allowed; None where they were read before."""
    descriptor = open_input(file)
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) in seen:
            return None
        seen.add((status.st_dev, status.st_ino))
        return Source(str(file), opened.read(MAX_BYTES + 1), status.st_mtime)


def _problem(file: Path, error: Exception) -> Diagnostic:
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    if isinstance(error, OSError) and error.errno == LINK_LEFT_OUT and os.path.isdir(file):
        return Diagnostic(str(file), 1, 1, SCHEMA_ERROR, Severity.WARNING, f"the link is left out: {why}")
    message = f"cannot be read: {why}; {_cure(error)}"
    return Diagnostic(str(file), 1, 1, SCHEMA_ERROR, Severity.ERROR, message)


def _cure(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "give an existing file or folder (option mirror_rules, or PATH)"
    if isinstance(error, PermissionError):
        return "let this user read it"
    return "remove it or give another"
