from __future__ import annotations

import pytest
from pydantic import ValidationError

from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec


def test_absent_differs_from_zero_where_it_does_in_istio() -> None:
    route = HTTPRoute.model_validate({"mirror": {"host": "a"}})
    assert (route.mirror_percent, route.mirror_percentage, route.timeout) == (None, None, None)
    zero = HTTPRoute.model_validate({"mirrorPercent": 0, "mirrorPercentage": {}})
    assert zero.mirror_percent == 0
    assert zero.mirror_percentage is not None and zero.mirror_percentage.value == 0


def test_routes_of_all_protocols() -> None:
    match = {"port": 443, "sourceLabels": {"a": "b"}}
    spec = VirtualServiceSpec.model_validate(
        {
            "tls": [{"match": [{**match, "sniHosts": ["a.b"]}]}],
            "tcp": [{"match": [{**match, "sourceSubnet": "10.0.0.0/8"}]}],
        }
    )
    assert spec.tls[0].match[0].sni_hosts == ("a.b",)
    assert spec.tcp[0].match[0].source_subnet == "10.0.0.0/8"


def test_a_tls_match_has_no_source_subnet() -> None:
    with pytest.raises(ValidationError, match="sourceSubnet"):
        VirtualServiceSpec.model_validate({"tls": [{"match": [{"sourceSubnet": "10.0.0.0/8"}]}]})
