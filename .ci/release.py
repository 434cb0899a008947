"""Makes a release in this checkout: `python .ci/release.py 0.3.0` (`make release VERSION=0.3.0`).

What the changelog has under Unreleased becomes the section of the version, the version is set, and both are committed
and tagged `v0.3.0`. A version that is set and has its section already is only tagged. Nothing is pushed or uploaded.
Exit code 2: what is wrong, with nothing changed.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

VERSION_FILE = Path("src/mirror_addon/_version.py")
CHANGELOG = Path("CHANGELOG.md")
UNRELEASED = "## [Unreleased]\n"


class ReleaseError(Exception):
    """Why this cannot be released."""


def parsed(version: str) -> tuple[int, ...]:
    """The numbers of `X.Y.Z`. Raises ReleaseError."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ReleaseError(f"{version!r} is not a version; write X.Y.Z")
    return tuple(map(int, version.split(".")))


def with_version(text: str, version: str) -> str:
    """The text of `_version.py` with another version, which must not be earlier. Raises ReleaseError."""
    present = re.search(r'^__version__ = "(.*)"$', text, re.M)
    if not present:
        raise ReleaseError(f"{VERSION_FILE} has no __version__")
    if parsed(version) < parsed(present[1]):
        raise ReleaseError(f"{version} is earlier than {present[1]}")
    return text[: present.start(1)] + version + text[present.end(1) :]


def with_section(text: str, version: str, date: datetime.date) -> tuple[str, str]:
    """The changelog with what is unreleased as the section of a version, and that section's text.

    Raises ReleaseError.
    """
    before, found, rest = text.partition(UNRELEASED)
    if not found:
        raise ReleaseError(f"{CHANGELOG} has no section Unreleased")
    section = _until_next(rest)
    if own := re.search(rf"^## \[{re.escape(version)}\].*\n", rest, re.M):
        if section:
            raise ReleaseError(f"{CHANGELOG} has a section {version}, and says more under Unreleased")
        return text, _until_next(rest[own.end() :])
    if not section:
        raise ReleaseError(f"{CHANGELOG} says nothing under Unreleased")
    return f"{before}{UNRELEASED}\n## [{version}] - {date.isoformat()}\n{rest}", section


def _until_next(text: str) -> str:
    return re.split(r"^## \[", text, maxsplit=1, flags=re.M)[0].strip()


def git(*arguments: str) -> str:
    """Run git, and return its output. Raises ReleaseError."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def release(version: str, today: datetime.date) -> str:
    """Write, commit and tag. Returns the tag. Raises ReleaseError before anything is changed."""
    tag = f"v{version}"
    version_text = with_version(VERSION_FILE.read_text(), version)
    changelog, section = with_section(CHANGELOG.read_text(), version, today)
    if git("status", "--porcelain"):
        raise ReleaseError("there are changes that are not committed; commit or remove them")
    if git("tag", "--list", tag):
        raise ReleaseError(f"the tag {tag} exists")
    VERSION_FILE.write_text(version_text)
    CHANGELOG.write_text(changelog)
    if git("status", "--porcelain"):
        git("commit", "--quiet", "-m", f"Release {version}", str(VERSION_FILE), str(CHANGELOG))
    git("tag", "--annotate", tag, "--cleanup=verbatim", "-m", f"{version}\n\n{section}\n")
    return tag


if __name__ == "__main__":
    try:
        if len(sys.argv) != 2:
            raise ReleaseError("say which version: make release VERSION=X.Y.Z")
        print(f"tagged {release(sys.argv[1], datetime.date.today())}")
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
