from __future__ import annotations

import pytest
from pydantic import ValidationError

from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec


def test_names_that_the_alias_generator_does_not_give() -> None:
    policy = {
        "outlierDetection": {"consecutive5xxErrors": 5, "outlierDetectionHttpErrorCodes": [500]},
        "loadBalancer": {"localityLbSetting": {"distribute": [{"from": "a/*", "to": {"b/*": 100}}]}},
    }
    read = DestinationRuleSpec.model_validate({"host": "a", "trafficPolicy": policy}).traffic_policy
    assert read is not None and read.outlier_detection is not None and read.load_balancer is not None
    assert read.outlier_detection.consecutive_5xx_errors == 5
    assert read.load_balancer.locality_lb_setting is not None
    assert read.load_balancer.locality_lb_setting.distribute[0].from_ == "a/*"


def test_the_selector_has_match_labels_only() -> None:
    spec = DestinationRuleSpec.model_validate({"workloadSelector": {"matchLabels": {"a": "b"}}})
    assert spec.workload_selector is not None and spec.workload_selector.match_labels == {"a": "b"}
    with pytest.raises(ValidationError, match="labels"):
        DestinationRuleSpec.model_validate({"workloadSelector": {"labels": {"a": "b"}}})
