"""The fuzz targets with a small and fixed budget. `make fuzz` runs them for hours."""

from __future__ import annotations

import pytest
from fuzz.targets import EXAMPLES
from fuzz.targets import TARGETS
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

BUDGET = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def mutated(example: bytes) -> st.SearchStrategy[bytes]:
    """The example with a part of it replaced."""
    places = st.integers(0, len(example))
    return st.builds(
        lambda start, end, part: example[: min(start, end)] + part + example[max(start, end) :],
        places,
        places,
        st.binary(max_size=20),
    )


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_are_a_fault(name: str) -> None:
    @BUDGET
    @given(st.one_of(st.binary(max_size=200), *map(mutated, EXAMPLES[name])))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    for example in EXAMPLES[name]:
        TARGETS[name](example)
    run()
