"""Write an edited `compare.yaml`: as a whole or not at all, and only if it is still the file that was edited."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_edit import difference
from mirror_addon.compare.rules_edit import with_rule
from mirror_addon.compare.rules_edit import without_rule


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the file at `path` that is not written yet. `before`: empty if there is no file."""

    path: Path
    before: str
    after: str

    @property
    def difference(self) -> str:
        """A unified diff."""
        return difference(self.before, self.after, str(self.path))

    def write(self) -> None:
        """Replace the file, in one step. Its mode stays, and so does a symbolic link to it.

        Raises RulesError if it cannot be written, or has changed since it was read.
        """
        path = Path(os.path.realpath(self.path))
        made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            mode = _mode(path)
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                with open(descriptor, "w", encoding="utf-8", newline="") as file:
                    file.write(self.after)
                    if mode is not None:
                        os.fchmod(descriptor, mode)
                if _text(path) != self.before:
                    raise RulesError(f"{self.path}: has changed in the meantime; try again")
                os.replace(made, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    made.unlink()
        except OSError as error:
            raise RulesError(f"{self.path}: cannot be written: {error.strerror or error}") from None


def adding(path: Path, cause: Cause, *, ignore: bool = False) -> Edit:
    """The change that accepts a finding, or ignores its path. Raises RulesError."""
    before = _read(path)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return Edit(path, before, with_rule(before, str(path), cause, _user(), today, ignore=ignore))


def removing(path: Path, id: str) -> Edit:
    """The change that takes it back. Raises RulesError."""
    before = _read(path)
    return Edit(path, before, without_rule(before, str(path), id))


def _read(path: Path) -> str:
    try:
        return _text(path)
    except UnicodeDecodeError as error:
        raise RulesError(f"{path}: is not UTF-8: {error.reason}; correct it") from None
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror or error}") from None


def _text(path: Path) -> str:
    """The text with its line ends as they are; empty if there is no file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _mode(path: Path) -> int | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a regular file")
    return stat.S_IMODE(found.st_mode)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # neither a name in the environment nor an account
        return "unknown"
