from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.export import export

ROOT = Path(__file__).resolve().parents[2]
PROCESSOR = "mirror-processor.mirror:9090"


def run(*arguments: str, rules: Path = ROOT / "rules", processor: str = PROCESSOR) -> Result:
    return CliRunner().invoke(export, ["istio", "--rules", str(rules), "--processor", processor, *arguments])


def kinds(result: Result) -> dict[str, dict[str, Any]]:
    """The printed resources by kind; of a kind that is there twice, the last."""
    assert result.exit_code == 0, result.output
    return {each["kind"]: each for each in yaml.safe_load_all(result.stdout)}


def annotated(folder: Path, annotation: str) -> Path:
    text = (ROOT / "rules" / "virtual-service.yaml").read_text()
    (folder / "rules.yaml").write_text(
        text.replace("name: serviceB\n", f"name: serviceB\n  annotations: {{{annotation}}}\n", 1)
    )
    return folder


def test_everything_for_a_gateway() -> None:
    result = run()
    found = kinds(result)
    assert result.stdout == run().stdout
    assert result.stdout.startswith("# Envoy shows a copy")
    assert list(found) == ["Deployment", "Service", "HorizontalPodAutoscaler", "DestinationRule", "EnvoyFilter"]
    assert found["EnvoyFilter"]["metadata"]["namespace"] == "istio-system"
    assert found["EnvoyFilter"]["spec"]["workloadSelector"] == {"labels": {"istio": "ingressgateway"}}
    assert found["Deployment"]["metadata"] == {"name": "mirror-processor", "namespace": "mirror"}
    assert "istio\\.gateway\\.xxxx\\.tech" in yaml.safe_dump(found["EnvoyFilter"])
    assert "note: the rules have no Service default/serviceB" in result.stderr


def test_sidecars() -> None:
    outbound = kinds(run("--at", "outbound", "--share", "5%"))["EnvoyFilter"]
    assert outbound["metadata"]["namespace"] == "default"
    assert "workloadSelector" not in outbound["spec"]
    assert "numerator: 50000\n" in yaml.safe_dump(outbound)
    result = run("--at", "inbound", "--workload", "app=b", "--workload", "version=v1", "--namespace", "shop")
    inbound = kinds(result)["EnvoyFilter"]
    assert inbound["metadata"]["namespace"] == "shop"
    assert inbound["spec"]["workloadSelector"] == {"labels": {"app": "b", "version": "v1"}}
    assert "default/serviceB http[0] changes requests" in result.stderr
    assert "changes requests" not in run("--at", "outbound").stderr


def test_envoy_gateway() -> None:
    result = run("--at", "envoy-gateway", rules=ROOT / "examples" / "gateway-api")
    found = kinds(result)
    assert found["EnvoyExtensionPolicy"]["spec"]["targetRefs"][0]["name"] == "service-b"
    assert found["ReferenceGrant"]["metadata"]["namespace"] == "mirror"
    assert "EnvoyFilter" not in found
    assert "Trailers" in result.stdout
    same = run("--at", "envoy-gateway", rules=ROOT / "examples" / "gateway-api", processor="mirror-processor:9090")
    assert "ReferenceGrant" not in kinds(same)


def test_a_twin_has_one_processor(tmp_path: Path) -> None:
    result = run(rules=annotated(tmp_path, "mirror-addon/twin: 'true'"))
    found = kinds(result)
    assert found["Deployment"]["spec"]["replicas"] == 1
    assert "HorizontalPodAutoscaler" not in found
    assert "there is one replica" in result.stderr


def test_the_workload() -> None:
    found = kinds(run("--image", "registry.test/mirror:1", "--max-replicas", "3"))
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.test/mirror:1"
    assert found["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 3


@pytest.mark.parametrize(
    ("arguments", "processor", "message"),
    [
        ([], "mirror-processor", "HOST:PORT"),
        ([], "a.b:1,c.d:2", "name one Service"),
        ([], "127.0.0.1:9090", "NAME.NAMESPACE:PORT"),
        (["--at", "inbound"], PROCESSOR, "--workload app=reviews"),
        (["--at", "nowhere"], PROCESSOR, "'gateway', 'outbound', 'inbound', 'envoy-gateway'"),
        (["--workload", "app"], PROCESSOR, "KEY=VALUE"),
        (["--at", "envoy-gateway"], PROCESSOR, "no HTTPRoute or GRPCRoute"),
        (["--at", "envoy-gateway", "--share", "5%"], PROCESSOR, "has no share"),
        (["--share", "5"], PROCESSOR, "percentage with its sign"),
    ],
)
def test_wrong_usage(arguments: list[str], processor: str, message: str) -> None:
    result = run(*arguments, processor=processor)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_rules_without_mirrors(tmp_path: Path) -> None:
    text = (ROOT / "rules" / "destination-rule.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(text)
    result = run(rules=tmp_path)
    assert result.exit_code == 2
    assert "mirrors anything" in result.stderr


def test_the_example_is_what_is_printed() -> None:
    example = ROOT / "examples" / "cluster"
    result = run("--image", "registry.example.test/mirror-addon:1", rules=example / "rules")
    assert (example / "mirror-processor.yaml").read_text() == result.stdout
    assert result.stderr == ""


def test_the_example_applies_the_same_routes_without_the_mirror() -> None:
    example = ROOT / "examples" / "cluster"
    own = yaml.safe_load((example / "rules" / "virtual-service.yaml").read_text())
    applied = yaml.safe_load((example / "applied" / "virtual-service.yaml").read_text())
    del own["metadata"]["annotations"]
    for rule in own["spec"]["http"]:
        del rule["mirror"], rule["mirrorPercentage"]
    assert own == applied
