from __future__ import annotations

import pytest

from mirror_addon.istio.resources.kubernetes_workloads import EndpointSliceSpec
from mirror_addon.istio.resources.kubernetes_workloads import PodControllerSpec


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [({}, True), ({"ready": None}, True), ({"ready": True}, True), ({"ready": False, "serving": True}, False)],
)
def test_an_endpoint_is_ready_unless_it_says_no(conditions: dict[str, bool], ready: bool) -> None:
    spec = EndpointSliceSpec.model_validate({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": conditions}]})
    assert spec.endpoints[0].ready is ready


def test_a_controller_without_template() -> None:
    spec = PodControllerSpec.model_validate({"replicas": 2, "strategy": {}})
    assert (spec.replicas, spec.template.metadata.labels) == (2, {})
