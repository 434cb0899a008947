from __future__ import annotations

import typing

from mirror_addon.istio.resources.kinds import ISTIO_KINDS
from mirror_addon.istio.resources.kinds import SKIPPED_ISTIO_KINDS
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec


def test_the_union_has_the_types_of_all_kinds() -> None:
    assert set(typing.get_args(Spec)) == {*ISTIO_KINDS.values(), KubernetesServiceSpec}
    assert not set(ISTIO_KINDS) & set(SKIPPED_ISTIO_KINDS)
