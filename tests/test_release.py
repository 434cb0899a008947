"""`make release`, in a repository of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One thing.\n\n## [0.1.0] - 2026-01-01\n\n- The first.\n"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.com")
    (tmp_path / "src" / "mirror_addon").mkdir(parents=True)
    (tmp_path / "src" / "mirror_addon" / "_version.py").write_text('"""The version."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return tmp_path


def release(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / ".ci" / "release.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_release() -> None:
    assert release("0.2.0") == (0, "tagged v0.2.0\n")
    assert '__version__ = "0.2.0"\n' in Path("src/mirror_addon/_version.py").read_text()
    text = Path("CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [0.2.0] - 20" in text
    assert text.index("- One thing.") > text.index("## [0.2.0]")
    assert git("status", "--porcelain") == ""
    assert git("log", "-1", "--format=%s", "v0.2.0") == "Release 0.2.0\n"
    message = git("tag", "--list", "--format=%(contents)", "v0.2.0")
    assert "### Added\n\n- One thing." in message and "The first" not in message
    code, output = release("0.3.0")
    assert code == 2 and "says nothing under Unreleased" in output


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0.0.9", "0.0.9 is earlier than 0.1.0"),
        ("0.1.0", "has a section 0.1.0, and says more under Unreleased"),
        ("v0.2.0", "is not a version; write X.Y.Z"),
        ("0.2", "is not a version"),
    ],
)
def test_versions_that_are_refused(version: str, message: str) -> None:
    code, output = release(version)
    assert code == 2 and message in output
    assert git("tag") == "" and git("status", "--porcelain") == ""


def test_what_must_be_in_order_first(checkout: Path) -> None:
    assert "say which version" in release()[1]
    (checkout / "more.txt").write_text("")
    assert "changes that are not committed" in release("0.2.0")[1]
    (checkout / "more.txt").unlink()
    git("tag", "v0.2.0")
    assert "the tag v0.2.0 exists" in release("0.2.0")[1]
    assert git("status", "--porcelain") == ""
    Path("CHANGELOG.md").write_text("# Changelog\n")
    assert "has no section Unreleased" in release("0.3.0")[1]
    Path("src/mirror_addon/_version.py").write_text("")
    assert "has no __version__" in release("0.3.0")[1]


def test_a_version_that_is_set_and_described_is_tagged(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text(CHANGELOG.replace("### Added\n\n- One thing.\n\n", ""))
    git("commit", "--quiet", "-a", "-m", "second")
    assert release("0.1.0") == (0, "tagged v0.1.0\n")
    assert git("log", "-1", "--format=%s", "v0.1.0") == "second\n"
    assert "- The first." in git("tag", "--list", "--format=%(contents)", "v0.1.0")


def test_the_changelog_of_this_repository_can_be_released() -> None:
    assert (ROOT / "CHANGELOG.md").read_text().count("## [Unreleased]\n") == 1
