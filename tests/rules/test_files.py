from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mirror_addon.istio.mirror_annotations import read_annotations
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import read_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.files import state_of

RULES = Path(__file__).parents[2] / "rules"
BAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {hosst: [a]}\n"


def names(folder: Path) -> list[str]:
    sources, problems = read_rules([folder])
    assert not problems
    return [os.path.relpath(source.name, folder) for source in sources]


def test_the_worked_example_loads() -> None:
    loaded = load_rules([RULES])
    assert not loaded.refused
    assert len(loaded.resources) == 3
    assert {item.severity for item in loaded.diagnostics} == {"warning"}
    assert list(loaded.diagnostics) == sorted(loaded.diagnostics)


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "d.txt", "sub/e.YAML", ".hidden.yaml", ".git/f.yaml", "#g.yaml~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert names(tmp_path) == ["a.yml", "b.yaml", "c.json", "sub/e.YAML"]


def test_config_map_mounts_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_22").mkdir()
    (tmp_path / "..2026_11_22" / "a.yaml").write_text("{}")
    (tmp_path / "..data").symlink_to("..2026_11_22")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert names(tmp_path) == ["a.yaml"]


def test_links_do_not_lead_in_circles_or_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{}")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "loop").symlink_to(".")
    assert names(tmp_path) == ["a.yaml"]
    sources, _ = read_rules([tmp_path, tmp_path / "a.yaml"])
    assert len(sources) == 1


def test_an_empty_folder_is_an_empty_table(tmp_path: Path) -> None:
    loaded = load_rules([tmp_path])
    assert (loaded.resources, loaded.diagnostics, loaded.refused) == ((), (), False)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    loaded = load_rules([RULES, tmp_path / "nowhere"])
    assert loaded.refused
    [error] = [item for item in loaded.diagnostics if item.severity == "error"]
    assert error.file == str(tmp_path / "nowhere")
    assert "mirror_rules" in error.message


def test_pipes_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    _, problems = read_rules([tmp_path])
    assert "no regular file" in problems[0].message


def test_unreadable_files() -> None:
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "a.yaml")
        file.write_text("{}")
        file.chmod(0)
        if user == 0:
            os.seteuid(65534)  # root reads everything
        try:
            _, problems = read_rules([folder])
        finally:
            os.seteuid(user)
    assert "let this user read it" in problems[0].message


def test_huge_files_are_not_read_whole(tmp_path: Path) -> None:
    with open(tmp_path / "a.yaml", "wb") as file:
        file.truncate(10 * 1024**3)
    loaded = load_rules([tmp_path])
    assert loaded.refused
    assert "16 MiB" in loaded.diagnostics[0].message


def test_dangling_links(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    _, problems = read_rules([tmp_path])
    assert problems[0].file == str(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", [BAD, "a: [", "a: 1\na: 2\n"])
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert load_rules([tmp_path]).refused


def test_references_that_lead_nowhere_are_no_reason(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
        "spec: {hosts: [a.b], http: [{route: [{destination: {host: nowhere}}]}]}\n"
    )
    loaded = load_rules([tmp_path], default_namespace="ns")
    assert [(item.severity, item.code) for item in loaded.diagnostics] == [("error", "IST0101")]
    assert not loaded.refused
    satisfied = load_rules([tmp_path], default_namespace="ns", overrides=[("nowhere.ns.svc.cluster.local", "")])
    assert satisfied.diagnostics == ()


def test_an_expiry_counts_from_the_files_last_change(tmp_path: Path) -> None:
    metadata = "{name: a, annotations: {mirror-addon/expires: 1h}}"
    (tmp_path / "a.yaml").write_text(BAD.replace("{name: a}", metadata).replace("hosst", "hosts"))
    os.utime(tmp_path / "a.yaml", (1000, 2000))
    (source,), _ = read_rules([tmp_path])
    assert source.changed == 2000
    (resource,) = load_rules([tmp_path]).resources
    assert resource.document.changed == 2000
    annotations = read_annotations(resource.annotations, resource.document.changed)
    assert annotations is not None and annotations.expires == 5600


UNREADABLE = ("~nobody-of-this-name/rules", "a" * 300, f"{'a' * 300}/rules", "a\0b", "/dev/null/rules")
"""Paths for which pathlib raises one error or another, or of which nothing can be known."""


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_path_that_cannot_be_looked_at_is_refused_and_named(name: str) -> None:
    (path,) = rules_paths([name])
    assert not is_there(path)
    assert state_of([path]) == {}
    loaded = load_rules([path])
    assert loaded.refused
    (problem,) = loaded.diagnostics
    assert problem.file == name and "cannot be read" in problem.message


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rules_paths(["~/rules", "rules"]) == [tmp_path / "rules", Path("rules")]
