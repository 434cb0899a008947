from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.istio.mirror_annotations import read_annotations
from mirror_addon.options.values import parse_endpoint
from mirror_addon.rules.files import Parsed
from mirror_addon.rules.files import State
from mirror_addon.rules.files import content_of
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import is_used_up
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import read_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.files import size_of
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


@pytest.mark.parametrize("target", ["/proc", "/sys", "..", "../..", "/", "/proc/self/root"])
def test_links_out_of_the_folder_are_named_and_not_searched(tmp_path: Path, target: str) -> None:
    rules = tmp_path / "a" / "rules"
    rules.mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text("{}")
    (rules / "a.yaml").write_text("{}")
    (rules / "link").symlink_to(target)
    sources, problems = read_rules([rules])
    assert [source.name for source in sources] == [str(rules / "a.yaml")]
    (problem,) = problems
    assert (problem.file, problem.severity) == (str(rules / "link"), "warning")
    loaded = load_rules([rules])
    assert not loaded.refused and not loaded.broken
    assert state_of([rules]).keys() == {str(rules), str(rules / "a.yaml"), str(rules / "link")}


def test_links_to_other_folders_are_searched(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "a.yaml").write_text("{}")
    (tmp_path / "rules" / "common").symlink_to("../common")
    assert names(tmp_path / "rules") == ["common/a.yaml"]


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", "/proc/kmsg"])
def test_links_to_special_files_do_not_hang(tmp_path: Path, target: str) -> None:
    (tmp_path / "a.yaml").symlink_to(target)
    sources, problems = read_rules([tmp_path])
    assert (sources, problems[0].severity) == ([], "error")


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
    satisfied = load_rules([tmp_path], default_namespace="ns", endpoints=[parse_endpoint("nowhere=127.0.0.1:1")])
    assert satisfied.diagnostics == ()


def test_content_is_that_of_all_files(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\n")
    before = content_of([tmp_path])
    os.utime(file, (1000, 2000))
    assert content_of([tmp_path]) == before
    (tmp_path / "a.log").write_text("line")
    assert content_of([tmp_path]) == before
    found = {before}
    for change in (
        lambda: file.write_text("a: 2\n"),
        lambda: (tmp_path / "b.yaml").write_text(""),
        lambda: os.replace(tmp_path / "b.yaml", tmp_path / "c.yml"),
        lambda: file.unlink(),
        lambda: shutil.rmtree(tmp_path),
    ):
        change()
        assert content_of([tmp_path]) not in found
        found.add(content_of([tmp_path]))


def test_the_size_of_a_state(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b.json").write_text("{}")
    assert size_of(state_of([tmp_path, tmp_path / "gone"])) == 7


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


@pytest.mark.parametrize(
    "away", [shutil.rmtree, lambda folder: folder.rename(folder.with_name(f".{time.monotonic_ns()}"))]
)
@pytest.mark.parametrize("when", ["before it is listed", "after it was listed"])
def test_a_folder_that_vanishes_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, away: Callable[[Path], object]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.yaml").write_text("{}")
    vanishing = tmp_path / "b"
    before = tmp_path / "a" if when == "before it is listed" else vanishing

    def walk(*arguments: Any, **options: Any) -> Iterator[Any]:
        for found in original(*arguments, **options):
            if found[0] == str(before) and vanishing.exists():
                away(vanishing)
            yield found

    original = os.walk
    with monkeypatch.context() as patched:
        patched.setattr(os, "walk", walk)
        sources, problems = read_rules([tmp_path])
    assert [Path(source.name).parent.name for source in sources] == ["a", "c"]
    (problem,) = problems
    assert problem.file == str(vanishing) and "cannot be read: No such file" in problem.message
    vanishing.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "walk", walk)
        during = state_of([tmp_path])
    assert during[str(vanishing)] == (errno.ENOENT,)
    assert during != state_of([tmp_path]), "who has read it then reads again"


def test_the_state_is_another_when_something_else_is_read(tmp_path: Path) -> None:
    states: list[State] = []

    def changed() -> bool:
        states.append(state_of([tmp_path]))
        return states[-1] not in states[:-1]

    file = tmp_path / "a.yaml"
    assert changed()
    file.write_text("a: 1")
    assert changed()
    file.write_text("a: 12")
    assert changed()
    (tmp_path / "b.txt").write_text("")
    (tmp_path / ".c.yaml").write_text("")
    assert not changed()
    file.chmod(0o640)
    assert changed(), "it may be readable now"
    (tmp_path / "new").write_text("a: 12")
    os.utime(tmp_path / "new", ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(tmp_path / "new", file)
    assert changed()
    shutil.rmtree(tmp_path)
    assert state_of([tmp_path]) == {}


def test_a_folder_that_may_not_be_listed_has_a_state_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a user who may read everything the test has to be one who may not."""
    (tmp_path / "sub").mkdir()
    listed = state_of([tmp_path])
    original = os.scandir

    def scandir(path: Any) -> Any:
        if str(path) == str(tmp_path / "sub"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert state_of([tmp_path]) == listed | {str(tmp_path / "sub"): (errno.EACCES,)}


@pytest.mark.parametrize("folder", [True, False])
def test_used_up_descriptors_say_nothing_about_the_rules(tmp_path: Path, folder: bool) -> None:
    (tmp_path / "a.yaml").write_text("{}")
    path = tmp_path if folder else tmp_path / "a.yaml"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            read_rules([path])
        if folder:
            with pytest.raises(OSError, match="Too many open files"):
                state_of([path])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert is_used_up(caught.value)
    assert not is_used_up(FileNotFoundError(errno.ENOENT, "")) and not is_used_up(ValueError()) and not is_used_up(None)
    assert len(read_rules([path])[0]) == 1


def test_a_file_that_has_not_changed_is_not_parsed_again(tmp_path: Path) -> None:
    parsed: Parsed = {}
    other = BAD.replace("name: a", "name: b") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    (tmp_path / "a.yaml").write_text(BAD)
    (tmp_path / "b.yaml").write_text(other)
    first = load_rules([tmp_path], parsed=parsed)
    assert first.diagnostics == load_rules([tmp_path]).diagnostics
    assert len(first.diagnostics) == 4 and first.skipped == {"Secret": 1}
    (tmp_path / "b.yaml").write_text(other + "\n")
    second = load_rules([tmp_path], parsed=parsed)
    assert second.diagnostics == first.diagnostics and second.skipped == first.skipped
    assert second.resources[0] is first.resources[0] and second.resources[1] is not first.resources[1]
    elsewhere = load_rules([tmp_path], parsed=parsed, default_namespace="elsewhere")
    assert {item.namespace for item in elsewhere.resources} == {"elsewhere"}
    (tmp_path / "a.yaml").unlink()
    load_rules([tmp_path], parsed=parsed)
    assert [Path(source.name).name for _, source in parsed] == ["b.yaml"]


GOOD = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: %s}\nspec: {hosts: [a.b], %s}\n"
PORTS = "ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS"


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (GOOD % ("bad", "ports: [{number: 0, name: http, protocol: HTTP}]"), "ServiceEntry default/bad ({}:2)"),
        (GOOD % ("bad", "prots: []"), "ServiceEntry default/bad ({}:2)"),
        (GOOD % ("bad", "ports: 5"), "ServiceEntry default/bad ({}:2)"),
        (GOOD % ("bad, labels: {a: 5}", PORTS), "ServiceEntry default/bad ({}:2)"),
        ("kind: VirtualService\nspec: {}\n", "VirtualService ({}:2)"),
        ("kind: [\n", "{}:3"),
        ("just text\n", "{}:2"),
        ("a: *nothing\n", "{}:2"),
    ],
)
def test_a_set_that_is_not_strict_goes_without_what_istio_refuses(tmp_path: Path, bad: str, name: str) -> None:
    file = tmp_path / "a.yaml"
    (tmp_path / "b.yaml").write_text(GOOD % ("good", PORTS))
    file.write_text(f"---\n{bad}---\n{GOOD % ('other', PORTS)}")
    loaded = load_rules([tmp_path], strict=False)
    assert [resource.name for resource in loaded.resources] == ["other", "good"]
    assert not loaded.refused
    assert loaded.faulty == (name.format(file),)
    assert [item.code for item in loaded.diagnostics if item.severity == "error"] == ["IST0106"]
    strict = load_rules([tmp_path])
    assert strict.refused
    assert strict.faulty == loaded.faulty


def test_references_to_what_is_left_out_are_missing(tmp_path: Path) -> None:
    rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\nspec: {host: a.b, %s}\n"
    (tmp_path / "a.yaml").write_text(f"{rule % 'subsets: []'}---\n{GOOD % ('bad', 'prots: []')}")
    assert "IST0174" not in [item.code for item in load_rules([tmp_path]).diagnostics]
    assert "IST0174" in [item.code for item in load_rules([tmp_path], strict=False).diagnostics]


def test_a_missing_path_is_refused_in_any_set(tmp_path: Path) -> None:
    assert load_rules([tmp_path / "nowhere"], strict=False).refused


def test_errors_that_a_cluster_accepts_leave_nothing_out(tmp_path: Path) -> None:
    route = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\n"
        "spec: {hosts: [a.b], http: [{route: [{destination: {host: nobody}}]}]}\n"
    )
    (tmp_path / "a.yaml").write_text(route)
    loaded = load_rules([tmp_path], strict=False)
    assert ([item.code for item in loaded.diagnostics], loaded.faulty) == (["IST0101"], ())
    assert len(loaded.resources) == 1


def test_the_meshs_configuration_may_be_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a, namespace: shop}\n"
        "spec: {hosts: [a.b], resolution: DNS, ports: [{number: 80, name: tcp, protocol: TCP}]}\n"
    )
    parsed: Parsed = {}
    before = load_rules([tmp_path], parsed=parsed)
    assert [item.code for item in before.diagnostics] == ["IST0134"]
    mesh = tmp_path / "mesh.yaml"
    metadata = "{ISTIO_META_DNS_CAPTURE: 'true', ISTIO_META_DNS_AUTO_ALLOCATE: 'true'}"
    text = f"defaultServiceExportTo: ['.']\n    defaultConfig: {{proxyMetadata: {metadata}}}\n    rootNamespace: x"
    mesh.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio}}\ndata:\n  mesh: |\n    {text}\n")
    loaded = load_rules([tmp_path], parsed=parsed)
    assert [(item.file, item.severity) for item in loaded.diagnostics] == [(str(mesh), "info")]
    assert loaded.resources[0].spec.export_to == (".",)
    mesh.unlink()
    assert load_rules([tmp_path], parsed=parsed).resources[0].spec.export_to == ()
