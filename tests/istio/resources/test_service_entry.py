from __future__ import annotations

import pytest
from pydantic import ValidationError

from mirror_addon.istio.resources.service_entry import ServiceEntrySpec


def test_defaults_are_those_of_the_proto() -> None:
    spec = ServiceEntrySpec.model_validate({"hosts": ["a.b"], "endpoints": [{"address": "1.2.3.4"}]})
    assert (spec.location, spec.resolution, spec.endpoints[0].weight) == ("MESH_EXTERNAL", "NONE", 0)


def test_the_selector_has_labels_only() -> None:
    spec = ServiceEntrySpec.model_validate({"workloadSelector": {"labels": {"a": "b"}}})
    assert spec.workload_selector is not None and spec.workload_selector.labels == {"a": "b"}
    with pytest.raises(ValidationError, match="matchLabels"):
        ServiceEntrySpec.model_validate({"workloadSelector": {"matchLabels": {"a": "b"}}})
