"""Every command of README.md and docs/ is run, or says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from docrun import Page
from docrun import is_shell
from doctools import MARKS
from doctools import PAGES
from doctools import ROOT
from doctools import SHELL
from doctools import Block
from doctools import blocks
from doctools import missing

from mirror_addon.compare.rules_file import read_rules
from mirror_addon.rules.files import load_rules

TUTORIAL = ROOT / "docs" / "tutorial" / "shop.md"
SANDBOX = ROOT / "docs" / "tutorial" / "sandbox.md"
STORIES = [
    ROOT / "README.md",
    TUTORIAL,
    SANDBOX,
    ROOT / "docs" / "tutorial" / "worked-example.md",
    ROOT / "docs" / "tutorial" / "gateway-api.md",
    ROOT / "docs" / "how-to" / "red-green.md",
]
"""Pages whose commands need one another: servers, a proxy, and requests through it."""
OTHERS = [page for page in PAGES if page not in STORIES]
BLOCKS = [block for page in PAGES for block in blocks(page)]
LANGUAGES = {"sh", "console", "text", "yaml", "json", "python", "sql", "groovy", ""}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> int:
    return sum(len(each.commands()) for each in blocks(page) if each.language in SHELL and each.mark != "not run")


def test_every_mark_is_known_and_has_a_reason() -> None:
    assert len(BLOCKS) > 60
    for block in BLOCKS:
        assert block.language in LANGUAGES, block
        assert block.mark in MARKS, block
        assert block.about or block.mark in ("", "logged"), block


def test_no_command_hides_in_another_block() -> None:
    """An indented block, or one without a language, would not be run."""
    for page in PAGES:
        assert not re.findall(r"^ {4}(?:mirror-addon|mitmdump|mitmweb|curl|pip|kubectl) .*", page.read_text(), re.M), (
            page
        )
    for block in BLOCKS:
        if block.language not in SHELL:
            lines = block.text.splitlines()
            assert not [line for line in lines if re.match(r"(?:\$ |mirror-addon \w|mitmdump -|curl )", line)], block


@pytest.mark.parametrize("page", [page for page in OTHERS if commands(page)], ids=name)
def test_commands(page: Path, folder: Path) -> None:
    """Those that end are run; the arguments of programs that stay are read; replays are dry runs."""
    assert Page(folder, folder / "confdir", really=False).run(page) == commands(page)


def test_the_tutorial(folder: Path, tmp_path: Path) -> None:
    """From the first command to the last, with real services and a real proxy."""
    (folder / "pairs.jsonl").unlink()
    assert Page(folder, tmp_path / "confdir", really=True).run(TUTORIAL) == commands(TUTORIAL)


def test_the_tutorial_of_the_sandbox(folder: Path, tmp_path: Path) -> None:
    """With the two services of examples/sandbox."""
    assert Page(folder, tmp_path / "confdir", really=True).run(SANDBOX) == commands(SANDBOX)


@pytest.mark.long
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in (TUTORIAL, SANDBOX) and commands(page)], ids=name
)
def test_programs_start(page: Path, folder: Path, tmp_path: Path) -> None:
    """Every proxy and server of a page starts, and ends when it is interrupted."""
    Page(folder, tmp_path / "confdir", really=True).run(page)


def test_yaml_is_what_it_should_be(tmp_path: Path) -> None:
    """Resources are accepted as Istio's webhook would accept them, and comparison rules are read."""
    resources = 0
    for block in (each for each in BLOCKS if each.language == "yaml"):
        documents = list(yaml.safe_load_all(block.text))
        if block.mark == "file" and block.about == "compare.yaml":
            assert read_rules(block.text, str(block)).rules
        elif isinstance(documents[0], dict) and "kind" in documents[0]:
            (file := tmp_path / "resource.yaml").write_text(block.text)
            found = [each for each in load_rules([file]).diagnostics if each.code == "IST0106"]
            assert not found, (str(block), found)
            resources += 1
        elif isinstance(documents[0], dict) and set(documents[0]) == {"metadata"}:
            annotations = documents[0]["metadata"]["annotations"]
            rule = yaml.safe_load((ROOT / "rules" / "virtual-service.yaml").read_text())
            rule["metadata"]["annotations"] = annotations
            (file := tmp_path / "resource.yaml").write_text(yaml.safe_dump(rule))
            found = [each for each in load_rules([file]).diagnostics if each.code == "IST0106"]
            assert not found, (str(block), found)
            resources += 1
    assert resources > 5


def test_the_tools_notice() -> None:
    """What the tests above rely on."""
    block = Block("p", 1, "console", "", "", "$ a 1\nfirst\n...\nlast 3 ms\n$ b\n")
    assert block.commands() == [("a 1", ["first", "...", "last 3 ms"]), ("b", [])]
    assert missing(["first", "...", "last 3 ms"], "first\nx\ny\nlast   44.1 ms\n") == ""
    assert missing(["first", "last"], "first\nx\nlast\n") == "last"
    assert missing(["first: ...", "last"], "first: xyz\nlast\n") == ""
    assert missing(["...", "gone"], "first\n") == "gone"
    assert is_shell("a | b")
    assert is_shell("a > b")
    assert not is_shell("replay 'a & b' \"c > d\"")
