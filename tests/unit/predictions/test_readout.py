import numpy as np
import pytest

from circumplex.predictions.readout import read_out

READOUT = {
    "valence": {"coefficients": {"happy": 0.81, "sad": -0.63}, "intercept": 0.0},
    "arousal": {"coefficients": {"sad": 2.0}, "intercept": -1.0},
}


def test_a_weighted_sum_of_named_values():
    values = np.array([[1.0, 9.0, 0.0], [0.25, 9.0, 0.5]], np.float32)
    found = read_out(values, ["happy", "other", "sad"], READOUT)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.81, -1.0], [0.81 / 4 - 0.63 / 2, 0.0]], atol=1e-6)


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="has 2 values, named are 3"):
        read_out(np.zeros((1, 2)), ["a", "b", "c"], READOUT)
    with pytest.raises(ValueError, match="frame 1 is not finite"):
        read_out(np.array([[0.0], [np.nan]]), ["happy"], READOUT)
