"""`--accept`, `--ignore` and `--undo` of `mirror-addon report`: rules for findings are written into `compare.yaml`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.findings_input import Basis
from mirror_addon.compare.causes import Cause
from mirror_addon.compare.findings import Finding
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_writing import Edit
from mirror_addon.compare.rules_writing import adding
from mirror_addon.compare.rules_writing import removing

FILE = Path("compare.yaml")


@dataclass(frozen=True, slots=True)
class Edits:
    """The ids of findings."""

    accept: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accept or self.ignore or self.undo)

    def make(self, findings: Sequence[Finding], basis: Basis) -> Basis:
        """Show and write each change, and return the basis with the file. Raises click.UsageError."""
        path = basis.rules_file or FILE
        causes = {each.id: each.cause for each in findings}
        for id in (*self.accept, *self.ignore):
            _cause(id, causes)  # all are checked before the first is written
        for change in self._changes(path, causes):
            try:
                edit = change()
                for line in edit.difference.splitlines():
                    echo(line, err=True)
                if sys.stdin.isatty() and sys.stderr.isatty():
                    click.confirm(f"Write this to {path}?", abort=True, err=True)
                edit.write()
            except RulesError as error:
                raise click.UsageError(str(error)) from None
        return replace(basis, rules_file=path)

    def _changes(self, path: Path, causes: dict[str, Cause]) -> Iterator[Callable[[], Edit]]:
        for id in self.undo:
            yield partial(removing, path, id)
        for id in self.accept:
            yield partial(adding, path, causes[id])
        for id in self.ignore:
            yield partial(adding, path, causes[id], ignore=True)


def _cause(id: str, causes: dict[str, Cause]) -> Cause:
    if id not in causes:
        near = difflib.get_close_matches(id[:20], causes, 1)
        how = f"did you mean {near[0]}?" if near else "the report without --accept lists the findings"
        raise click.UsageError(f"{id[:20]!r} is no finding of this record; {how}")
    return causes[id]
