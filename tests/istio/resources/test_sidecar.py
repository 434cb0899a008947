from __future__ import annotations

import pytest
from pydantic import ValidationError

from mirror_addon.istio.resources.sidecar import SidecarSpec


def test_defaults_are_those_of_the_proto() -> None:
    spec = SidecarSpec.model_validate({"ingress": [{}], "egress": [None], "outboundTrafficPolicy": {}})
    assert spec.ingress[0].capture_mode == spec.egress[0].capture_mode == "DEFAULT"
    assert spec.outbound_traffic_policy is not None and spec.outbound_traffic_policy.mode == "REGISTRY_ONLY"


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        SidecarSpec.model_validate({"egres": []})
