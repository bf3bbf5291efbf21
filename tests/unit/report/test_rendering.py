"""Numbers as pages show them."""

import pytest

from circumplex.report.rendering import format_fixed


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-0.5, "−0.50"), (0.5, "0.50"), (-0.0001, "0.00"), (-0.0, "0.00"), (-1234.5, "−1,234.50")],
)
def test_a_number_has_one_minus_sign_and_zero_has_none(value, shown):
    assert format_fixed(value, 2) == shown
