import numpy as np
import pytest
import torch

from circumplex.features.extractors import (
    vggish,
)
from circumplex.networks.weights import Weights, build_network
from waves import RATE, join, sound, write_wave

RANDOM = {"weights": "random:1"}


@pytest.mark.slow
def test_vggish_examples_start_every_hop(tmp_path) -> None:
    samples = sound(4.2)
    path = write_wave(tmp_path / "a.wav", samples)
    rows = join(vggish.build(RANDOM).rows(path))
    assert rows.start_s == pytest.approx(np.arange(4) * 0.96)
    assert rows.end_s - rows.start_s == pytest.approx(np.full(4, 0.96))
    fine = join(vggish.build({**RANDOM, "hop_s": 0.48, "batch_size": 3}).rows(path))
    assert fine.start_s == pytest.approx(np.arange(7) * 0.48)
    np.testing.assert_allclose(fine.values[::2], rows.values, rtol=1e-4, atol=1e-4)
    network = build_network(vggish.vggish.VGGish, Weights(seed=1))
    start = round(2.88 * RATE)
    example = torch.from_numpy(samples[start : start + 15600] / 32768).float()[None]
    with torch.inference_mode():
        expected = network(vggish.vggish.LogMel()(example))
    np.testing.assert_allclose(rows.values[3:], expected.numpy(), rtol=1e-4, atol=1e-4)


def test_vggish_example_has_the_same_bits_in_any_batch(tmp_path) -> None:
    samples = sound(4.2)
    extractor = vggish.build({**RANDOM, "batch_size": 2})
    rows = join(extractor.rows(write_wave(tmp_path / "a.wav", samples))).values
    later = samples[round(0.96 * RATE) :]
    moved = join(extractor.rows(write_wave(tmp_path / "b.wav", later))).values
    assert np.array_equal(moved, rows[1:])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["release", "port", "port of arrays"])
def test_vggish_quantises_with_the_published_matrix(tmp_path, kind) -> None:
    pca = {"pca_eigen_vectors": np.eye(128)[::-1] * 0.3, "pca_means": np.full(128, 0.5)}
    name = "pca.npz" if kind == "release" else "vggish_pca_params-970ea276.pth"
    if kind == "release":
        np.savez(tmp_path / name, **pca)
    elif kind == "port":
        means = torch.from_numpy(pca["pca_means"]).float()[:, None]
        matrix = torch.from_numpy(pca["pca_eigen_vectors"].copy()).float()
        torch.save({"pca_eigen_vectors": matrix, "pca_means": means}, tmp_path / name)
    else:
        torch.save({key: value.astype("f4") for key, value in pca.items()}, tmp_path / name)
    path = write_wave(tmp_path / "a.wav", sound(2))
    plain = join(vggish.build(RANDOM).rows(path)).values
    options = {**RANDOM, "postprocess": "quantised", "pca": str(tmp_path / name)}
    found = join(vggish.build(options).rows(path)).values
    expected = np.round((np.clip((plain[:, ::-1] - 0.5) * 0.3, -2, 2) + 2) * 63.75)
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) < 0.02
