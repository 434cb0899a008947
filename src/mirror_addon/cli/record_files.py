"""Records named by files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import islice

import click

_RECORDS = (".jsonl", ".jsonl.gz")
_MOST = 100_000


def record_files(given: Sequence[str]) -> list[str]:
    """Return the files that are meant: of a folder all records in it and below, of a pattern what it matches.

    Patterns are those of the shell, for shells that have no `**` or were kept from expanding them. A name that is there
    is no pattern. Raises click.UsageError where a folder or a pattern leads to no file.
    """
    found: list[str] = []
    for name in given:
        if name == "-" or os.path.isfile(name):
            found.append(name)
        elif os.path.isdir(name):
            _add(found, name, _below(name), f"there is no record (*{', *'.join(_RECORDS)}) in the folder")
        elif glob.has_magic(name):
            _add(found, name, _matches(name), "no file matches")
        else:
            found.append(name)  # whoever opens it says what is wrong
    return found


def _add(found: list[str], name: str, files: Iterator[str], problem: str) -> None:
    """Add the files of one folder or pattern that are not there yet."""
    some = list(islice(files, _MOST + 1))
    if len(some) > _MOST:
        raise click.UsageError(f"{name}: more than {_MOST:,} files; name a smaller folder")
    if not some:
        raise click.UsageError(f"{name}: {problem}")
    known = set(found)
    found += [file for file in some if file not in known]


def _matches(pattern: str) -> Iterator[str]:
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isdir(path):
            if not pattern.endswith("**"):  # which matches what is in the folder as well
                yield from _below(path)
        else:
            yield path


def _below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(_RECORDS):
                yield os.path.join(parent, name)
