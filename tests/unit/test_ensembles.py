import numpy as np
import pytest

from circumplex.ensembles import EnsembleSpec, ensemble, mean_prediction
from circumplex.errors import RequestError

DRAW = np.random.default_rng(0)
PREDICTIONS = {name: DRAW.normal(size=(6, 2)).astype(np.float32) for name in "abc"}


def test_members_are_chosen_apart_for_each_target():
    result = ensemble(EnsembleSpec(("a", "b", "c"), ("b",)), PREDICTIONS)
    expected = (PREDICTIONS["a"] + PREDICTIONS["b"] + PREDICTIONS["c"])[:, 0] / 3
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(result[:, 1], PREDICTIONS["b"][:, 1])
    assert result.dtype == np.float32


def test_the_order_of_members_moves_nothing_visible():
    one = ensemble(EnsembleSpec(("a", "b", "c"), ("a",)), PREDICTIONS)
    other = ensemble(EnsembleSpec(("c", "a", "b"), ("a",)), PREDICTIONS)
    np.testing.assert_allclose(one, other, atol=1e-7)


def test_models_are_listed_once():
    assert EnsembleSpec(("a", "b"), ("b", "c")).models() == ["a", "b", "c"]


@pytest.mark.parametrize(("valence", "arousal"), [((), ("a",)), (("a",), ()), (("a", "a"), ("a",))])
def test_senseless_specs(valence, arousal):
    with pytest.raises(RequestError):
        EnsembleSpec(valence, arousal)


def test_unequal_lengths_and_absent_members_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        mean_prediction([np.zeros(3), np.zeros(1)])
    with pytest.raises(ValueError, match="one shape"):
        mean_prediction([])
    with pytest.raises(ValueError, match="no prediction of d"):
        ensemble(EnsembleSpec(("a", "d"), ("a",)), PREDICTIONS)
