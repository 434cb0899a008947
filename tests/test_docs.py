"""The documentation names what the program has, its links lead somewhere, and the README stays a page."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from doctools import PAGES
from doctools import ROOT

from mirror_addon.cli.main import COMMANDS
from mirror_addon.commands.commands import Commands
from mirror_addon.istio.mirror_annotations import KNOWN
from mirror_addon.options.settings import OPTIONS

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
README_WORDS = 900
METRICS = ("_total", "_time", "_state")


def read(page: str) -> str:
    return (REFERENCE / page).read_text()


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= README_WORDS


def test_options_with_their_defaults_and_help() -> None:
    rows = re.findall(r"^\| `(mirror_\w+)`[^|]*\| (?:`([^`]*)`)? *\| (.*) \|$", read("options.md"), re.M)
    wanted = []
    for option in OPTIONS:
        default = option.default
        if isinstance(default, bool):
            default = str(default).lower()
        elif isinstance(default, list):
            default = " ".join(default)
        wanted.append((option.name, default, option.help))
    assert rows == wanted


def test_commands() -> None:
    named = set(re.findall(r"`mirror\.(\w+)", read("commands.md")))
    assert named == {
        name for name, value in vars(Commands).items() if name[0] != "_" and name not in ("register", "by_name")
    }


def test_command_line() -> None:
    table = read("cli.md").split("<!-- generated")[0]
    assert {name for name in COMMANDS if f"`{name}`" in table or f"mirror-addon {name}" in table} == set(COMMANDS)


def test_annotations() -> None:
    rows = re.findall(r"^\| `mirror-addon/([\w-]+)` \|", read("annotations.md"), re.M)
    assert sorted(rows) == sorted(KNOWN)


def test_names_of_options_exist() -> None:
    """Wherever a page writes `mirror_...`, in a command or in a sentence."""
    others = {
        "mirror_addon",
        "mirror_of",
        "mirror_target",
        "mirror_rule",
        "mirror_verdict",
        "mirror_id",
        "mirror_shadow",
        "mirror_percent",
    }
    known = {option.name for option in OPTIONS} | others
    for page in PAGES:
        for name in re.findall(r"`(?:--set )?(mirror_[a-z_]+)[`=]", page.read_text()):
            metric = name.endswith(METRICS) or name.startswith("mirror_processor_")
            assert name in known or metric, (page, name)


def severities() -> dict[str, set[str]]:
    """The severities of each code, from the calls in istio/ that report findings."""
    constants: dict[str, str] = {}
    calls: list[tuple[str, ast.expr | None]] = []
    for module in sorted((ROOT / "src" / "mirror_addon" / "istio").glob("*.py")):
        tree = ast.parse(module.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                target = node.targets[0]
                if isinstance(target, ast.Name) and re.fullmatch(r"(?:IST|MIRROR)\d{4}", str(node.value.value)):
                    constants[target.id] = str(node.value.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                code = next((each.value for each in node.keywords if each.arg == "code"), None)
                if node.func.attr in ("error", "warning", "info") and code is not None:
                    calls.append((node.func.attr, code))
    found = defaultdict[str, set[str]](set)
    for severity, code in calls:
        if isinstance(code, ast.Name):
            found[constants[code.id]].add(severity)
    assert len(found) > 15
    return found | {code: found.get(code, set()) for code in constants.values()}


def test_findings() -> None:
    rows = dict(re.findall(r"^\| `((?:IST|MIRROR)\d+)` \| ([a-z, ]+) \|", read("findings.md"), re.M))
    found = severities()
    assert sorted(rows) == sorted(found)
    for code, levels in found.items():
        assert not levels or levels == set(rows[code].split(", ")), (code, levels)


def anchors(page: Path) -> set[str]:
    """The ids of the headings of a page, as Markdown renderers make them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), (page, target)
        if anchor:
            assert anchor in anchors(linked), (page, target, anchor)


def test_pages_that_the_code_names_exist() -> None:
    for module in sorted((ROOT / "src").rglob("*.py")):
        for page in re.findall(r"\bdocs/[\w/-]+\.md", module.read_text()):
            assert (ROOT / page).exists(), (module, page)


def test_every_page_has_a_place_in_the_site() -> None:
    listed = re.findall(r"- ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
