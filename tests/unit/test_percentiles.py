from hypothesis import given
from hypothesis import strategies as st

from edgekit.percentiles import percentiles


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([]) is None


def test_known_values() -> None:
    found = percentiles(range(1, 101))
    assert found is not None
    assert (found.min, found.p50, found.p95, found.max) == (1, 50, 96, 100)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_each_is_a_value_that_occurred_and_they_are_ordered(values: list[float]) -> None:
    found = percentiles(values)
    assert found is not None
    assert found.min <= found.p50 <= found.p95 <= found.max
    assert {found.min, found.p50, found.p95, found.max} <= set(values)
