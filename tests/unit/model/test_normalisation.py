import numpy as np
import pytest

from circumplex.model.normalisation import fit_scaling


def scaled(scaling, rows):
    out = np.empty(rows.shape, np.float32)
    scaling.apply(rows, out)
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_blocks_give_the_moments_of_the_whole(dtype):
    draw = np.random.default_rng(0)
    rows = (draw.normal(size=(1000, 4)) * [1, 5, 0.01, 30] + [0, 2, 1, -100]).astype(dtype)
    scaling = fit_scaling(np.array_split(rows, [0, 1, 7, 500]), 4)
    whole = rows.astype(np.float64)
    np.testing.assert_allclose(scaling.mean, whole.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(1 / scaling.scale, whole.std(axis=0), rtol=1e-6)
    result = scaled(scaling, rows)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(result.std(axis=0), 1, atol=1e-3)


def test_a_large_mean_costs_no_precision():
    rows = (1e5 + np.random.default_rng(0).normal(size=(500, 1))).astype(np.float32)
    scaling = fit_scaling(np.array_split(rows, 9), 1)
    assert 1 / scaling.scale[0] == pytest.approx(rows.astype(np.float64).std(), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -12345.678, 1e-20])
def test_a_constant_column_gives_zero_even_where_it_varies_later(value):
    rows = np.full((300, 2), value, dtype=np.float32)
    rows[:, 1] = np.arange(300)
    scaling = fit_scaling(np.array_split(rows, 7), 2)
    result = scaled(scaling, np.float32([[value, 5], [value + 99, 5]]))
    np.testing.assert_array_equal(result[:, 0], 0)
    assert np.isfinite(result).all()
    assert (result[:, 1] != 0).all()


def test_no_frame_at_all():
    scaling = fit_scaling([], 3)
    np.testing.assert_array_equal(scaled(scaling, np.ones((2, 3), np.float32)), 0)
