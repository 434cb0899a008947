from __future__ import annotations

import pytest
import yaml

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.platform_text import platform_text

SERVICE = InCluster("processor", "mirror", 9090, "cluster.local")


@pytest.mark.parametrize("gateway_api", [False, True])
def test_it_is_a_comment(gateway_api: bool) -> None:
    text = platform_text(SERVICE, ["shop/a", "shop/b"], gateway_api=gateway_api)
    assert yaml.safe_load(text) is None
    assert max(map(len, text.splitlines())) <= 120
    assert "#     kubectl -n mirror create configmap processor-rules --from-file=rules\n" in text
    assert "(shop/a, shop/b)" in text.replace("\n#  ", "")
    assert ("mirror_addon.share=0" in text) is not gateway_api
    assert ("Trailers" in text) is gateway_api
    assert "{" not in text
