from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result
from inittools import V1_AND_V2
from inittools import destination_rule
from inittools import http_route
from inittools import service
from inittools import virtual_service

from mirror_addon.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "rules.yaml").write_text(V1_AND_V2)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def init(*arguments: str) -> Result:
    return run("init", "--rules", "team", *arguments)


def refused(*arguments: str) -> str:
    result = init(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


def test_without_a_file_the_yaml_is_the_output() -> None:
    result = init()
    assert result.exit_code == 0
    (entry,) = yaml.safe_load_all(result.stdout)
    assert entry["kind"] == "ServiceEntry"
    assert "cart/v1      127.0.0.1:9001  default/shop http[0]" in result.stderr
    assert result.stderr.rstrip().endswith("mirror-addon dump --set mirror_rules=team --set mirror_rules=FILE")
    assert not list(Path().glob("*.yaml"))


def test_a_file_ends_with_the_command_that_runs_it() -> None:
    result = init("-o", "my local.yaml", "--set", "gateways=istio-system/gateway")
    assert result.exit_code == 0 and result.stderr == ""
    assert "Wrote my local.yaml." in result.stdout
    last = result.stdout.splitlines()[-1]
    assert shlex.split(last) == [
        *("mirror-addon", "dump", "--set", "mirror_rules=team", "--set", "mirror_rules=my local.yaml"),
        *("--set", "mirror_gateways=istio-system/gateway"),
    ]


@pytest.mark.parametrize("output", ["local.yaml", "team/local.yaml"])
def test_it_is_idempotent_and_overwrites_nothing(output: str) -> None:
    """A file among the rules is read by the proxy, and must not make the next run think that all is there."""
    assert init("-o", output).exit_code == 0
    text = Path(output).read_text()
    again = init("-o", output)
    assert again.exit_code == 0 and f"{output} is as it should be." in again.stdout
    assert ("mirror_rules=team/local.yaml" in again.stdout) is False
    assert f"{output} is as it should be." in init("--rules", output, "-o", output).stdout
    Path(output).write_text("# mine\n")
    assert f"{output} exists and has something else; --force overwrites it" in refused("-o", output)
    assert Path(output).read_text() == "# mine\n"
    assert init("-o", output, "--force").exit_code == 0
    assert Path(output).read_text() == text
    assert sorted(path.name for path in Path(output).parent.iterdir() if path.name.startswith(".")) == []


def test_files_that_cannot_be_written() -> None:
    assert "No such file or directory" in refused("-o", "gone/local.yaml")
    assert "is a directory" in refused("-o", "team")


def test_endpoints_that_are_given() -> None:
    result = init("-o", "local.yaml", "--endpoint", "cart/v2=[::1]:9001", "--endpoint", "cart/v1=localhost:80")
    assert result.exit_code == 0, result.output
    (entry,) = yaml.safe_load_all(Path("local.yaml").read_text())
    assert [(each["address"], each["ports"]["http"]) for each in entry["spec"]["endpoints"]] == [
        ("localhost", 80),
        ("::1", 9001),
    ]
    assert (
        "--endpoint 'cart/v2=[::1]:9001' --endpoint cart/v1=localhost:80 -o local.yaml"
        in Path("local.yaml").read_text()
    )


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("cart/v3=127.0.0.1:1", "--endpoint cart/v3 has no effect: no rule names this subset; there are v1, v2"),
        (
            "crat=127.0.0.1:1",
            "--endpoint crat has no effect: no rule names this host; did you mean cart.default.svc.cluster.local?",
        ),
        ("cart", "write HOST/SUBSET=ADDRESS:PORT"),
        ("cart/v1=127.0.0.1:0", "is not a port"),
        ("api.example.com=127.0.0.1:1", "this destination has an endpoint in the rules"),
        ("search/all=127.0.0.1:1", "--endpoint: search.default.svc.cluster.local/all has no endpoint of its own"),
    ],
)
def test_endpoints_that_name_nothing(endpoint: str, message: str) -> None:
    (Path("team") / "rules.yaml").write_text(V1_AND_V2 + OVERLAPPING + OUTSIDE)
    assert message in refused("--endpoint", endpoint)


def test_many_endpoints_are_not_all_listed() -> None:
    routes = "".join(f"    - route: [{{destination: {{host: s{number}}}}}]\n" for number in range(50))
    (Path("team") / "rules.yaml").write_text(virtual_service(routes))
    result = init("-o", "local.yaml")
    assert "and 10 more, which the comment on top of the file lists" in result.stdout
    assert "# s49" in Path("local.yaml").read_text()
    again = run("init", "--rules", "team", "--rules", "local.yaml")
    assert "s39 at 127.0.0.1:9040 and 10 more" in again.stderr


def test_an_endpoint_for_one_port() -> None:
    (Path("team") / "rules.yaml").write_text(TEAMS["services"])
    result = init("--endpoint", "cart.shop:50051=127.0.0.1:7")
    assert result.exit_code == 0, result.output
    assert "--endpoint cart.shop:50051=127.0.0.1:7" in result.stdout
    assert "cart.shop:50051  127.0.0.1:7 " in result.stderr


def test_rules_that_say_too_little(folder: Path) -> None:
    assert "There is no file or folder 'gone'" in run("init", "--rules", "gone").output
    (folder / "empty").mkdir()
    result = run("init", "--rules", "empty")
    assert result.exit_code == 2 and "No rule in empty routes to a destination" in result.stderr
    (folder / "team" / "broken.yaml").write_text("kind: [")
    assert "broken.yaml:2:1: error" in refused() and "cannot be read: correct the errors above" in refused()
    (folder / "team" / "broken.yaml").unlink()
    (folder / "team" / "unreadable.yaml").symlink_to("nowhere")
    assert "unreadable.yaml" in refused()


def test_nothing_is_written_where_everything_has_an_endpoint(folder: Path) -> None:
    assert init("-o", "local.yaml").exit_code == 0
    result = run("init", "--rules", "team", "--rules", "local.yaml", "-o", "more.yaml")
    assert result.exit_code == 0 and not (folder / "more.yaml").exists()
    assert "Has an endpoint in the rules: cart/v1 at 127.0.0.1:9001, cart/v2 at 127.0.0.1:9002" in result.stdout
    assert result.stdout.endswith("mirror-addon dump --set mirror_rules=team --set mirror_rules=local.yaml\n")


def test_ports_of_the_rules_are_not_used_again(folder: Path) -> None:
    (folder / "team" / "there.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: there}\n"
        "spec: {hosts: [cart.default.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}],\n"
        " resolution: STATIC, location: MESH_INTERNAL,\n"
        " endpoints: [{address: 127.0.0.1, labels: {version: v1}, ports: {http: 9001}}]}\n"
    )
    assert "cart/v2      127.0.0.1:9002" in init().stderr


def test_what_a_cluster_would_not_route_is_named(folder: Path) -> None:
    (folder / "team" / "rules.yaml").write_text(V1_AND_V2.replace("subset: v2", "subset: v3"))
    result = init("-o", "local.yaml")
    assert result.exit_code == 0
    assert "warning: mirror of default/shop http[0]: no DestinationRule declares the subset cart/v3" in result.stderr


OUTSIDE = (
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: api}\n"
    "spec: {hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n---\n"
)
OVERLAPPING = virtual_service(
    """
    - match: [{uri: {prefix: /all}}]
      route: [{destination: {host: search, subset: all}}]
    - route: [{destination: {host: search}}]
""",
    name="search",
    host="search.test",
) + destination_rule("search", all="{app: x}", v1="{app: x, version: v1}", v2="{app: x, version: v2}")
TEAMS = {
    "subsets": V1_AND_V2,
    "weights": virtual_service(
        """
    - route:
      - {destination: {host: cart, subset: v1}, weight: 100}
      - {destination: {host: cart, subset: v2}, weight: 0}
"""
    )
    + destination_rule("cart", v1="{version: v1}", v2="{version: v2}"),
    "services": service("cart", "[{port: 8080, name: http}, {port: 50051, name: api, appProtocol: grpc}]", "shop")
    + virtual_service(
        """
    - match: [{uri: {prefix: /api}}]
      route: [{destination: {host: cart, port: {number: 50051}}}]
    - route: [{destination: {host: cart, port: {number: 8080}}}]
      mirrors: [{destination: {host: cart.next.svc.cluster.local, port: {number: 8080}}}]
""",
        namespace="shop",
    ),
    "overlapping labels": OVERLAPPING.replace("search.test", "shop.test"),
    "hosts outside": virtual_service(
        """
    - route: [{destination: {host: api.example.com, subset: v1}}]
      mirror: {host: api.example.org}
""",
        namespace="shop",
    )
    + destination_rule("api.example.com", "shop", v1="{version: v1}"),
    "routes": http_route(
        "[{backendRefs: [{name: cart, port: 80}], filters: [{type: RequestMirror, "
        "requestMirror: {backendRef: {name: cart-next, port: 80}}}]}]"
    ),
    "routes with their services": service("cart", "[{port: 80, name: web}, {port: 81, name: api}]")
    + service("cart-next", "[{port: 80, name: web}]")
    + http_route(
        "[{matches: [{path: {value: /api}}], backendRefs: [{name: cart, port: 81}]}, "
        "{backendRefs: [{name: cart, port: 80}], filters: [{type: RequestMirror, "
        "requestMirror: {backendRef: {name: cart-next, port: 80}}}]}]"
    ),
    "delegates": virtual_service("    - match: [{uri: {prefix: /}}]\n      delegate: {name: cart, namespace: shop}\n")
    + "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart, namespace: shop}\n"
    + "spec: {http: [{route: [{destination: {host: cart}}], mirror: {host: cart-next}}]}\n---\n",
}


@pytest.mark.parametrize("team", TEAMS)
def test_what_it_writes_passes_check_and_routes_as_it_says(folder: Path, team: str) -> None:
    (folder / "team" / "rules.yaml").write_text(TEAMS[team])
    written = init("-o", "local.yaml")
    assert written.exit_code == 0, written.output
    checked = run("check", "team", "local.yaml")
    assert checked.exit_code == 0, checked.output
    assert "local.yaml" not in checked.stdout
    result = run("explain", "--rules", "team", "--rules", "local.yaml", "--json", *paths("/", "/api", "/all"))
    said = {line.split()[1] for line in written.stdout.splitlines() if "127.0.0.1:9" in line}
    for line in result.stdout.splitlines():
        found = json.loads(line)
        assert found["action"] == "route"
        targets = [found["destination"], *found["mirrors"]]
        assert {target["endpoint"] for target in targets} <= said
        assert len({target["endpoint"] for target in targets}) == len(targets)
        assert all(mirror["skipped"] is None for mirror in found["mirrors"])


def paths(*names: str) -> list[str]:
    return [word for name in names for word in ("GET", f"http://shop.test{name}")]


def test_a_link_that_leads_nowhere_is_left_alone(folder: Path) -> None:
    os.symlink("nowhere.yaml", folder / "local.yaml")
    assert "cannot be written: No such file" in refused("-o", "local.yaml")
    assert (folder / "local.yaml").is_symlink()
