"""VGGish against the same arithmetic written out with plain functions."""

import numpy as np
import pytest
import torch

from circumplex.networks import vggish
from networks_by_hand import (
    VGGISH_CONVOLUTIONS,
    VGGISH_LINEARS,
    log_mel_by_hand,
    unlike_initial,
    vggish_by_hand,
)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.5, 3.0])
def test_log_mel_follows_the_published_parameters(level: float) -> None:
    wave = np.random.default_rng(0).normal(0, 1, 15600) * level
    example = vggish.LogMel()(torch.from_numpy(wave).float().unsqueeze(0))
    assert example.shape == (1, 1, 96, 64)
    by_hand = log_mel_by_hand(wave.astype(np.float32).astype(np.float64))
    assert np.abs(example[0, 0].numpy() - by_hand).max() < 1e-5


@torch.inference_mode()
def test_vggish_is_named_and_computes_as_the_common_port() -> None:
    network = vggish.VGGish()
    state = unlike_initial(network)
    assert {name.rsplit(".", 1)[0] for name in state} == {
        *(f"features.{k}" for k in VGGISH_CONVOLUTIONS),
        *(f"embeddings.{k}" for k in VGGISH_LINEARS),
    }
    examples = torch.randn(2, 1, 96, 64)
    expected = vggish_by_hand(examples, state)
    assert expected.shape == (2, 128)
    assert expected.std() > 0
    torch.testing.assert_close(network(examples), expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_postprocessor_whitens_clips_and_quantises() -> None:
    postprocessor = vggish.Postprocessor()
    state = unlike_initial(postprocessor)
    embeddings = torch.randn(3, 128) * 2
    matrix = state["pca_eigen_vectors"].double().numpy()
    means = state["pca_means"].double().numpy()
    whitened = np.stack([matrix @ (row - means) for row in embeddings.double().numpy()])
    expected = np.round((np.clip(whitened, -2, 2) + 2) * 63.75)
    assert 0 in expected
    assert 255 in expected
    found = postprocessor(embeddings).numpy()
    assert np.abs(found - expected).max() <= 1  # float32 may fall on the other side of a half
    assert np.mean(found != expected) < 0.01
