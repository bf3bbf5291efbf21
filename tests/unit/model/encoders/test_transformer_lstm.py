import torch

from circumplex.model.network import carry
from small_networks import random_features, small_network


def test_transformer_lstm_is_what_it_says():
    """Transformer, residual, LSTM, by the modules themselves; without residual the sum is gone."""
    for residual in (True, False):
        model, x = small_network("transformer_lstm", residual=residual), random_features(2, 7)
        fused = model.fusion(x)
        attended, _ = model.encoder.transformer(fused, None, None)
        hidden, _ = model.encoder.lstm(attended + fused if residual else attended)
        assert torch.equal(model.encoder(fused, None, None)[0], hidden)
    # The LSTM goes on where it was; the Transformer sees the new segment alone.
    _, state = model(x)
    fused = model.fusion(x)
    attended, _ = model.encoder.transformer(fused, None, None)
    hidden, _ = model.encoder.lstm(attended, carry(state, 2))
    assert torch.equal(model(x, None, carry(state, 2))[0], model.regressor(hidden))


def test_transformer_lstm_positions():
    placed, x = small_network("transformer_lstm", positions="sinusoidal"), random_features(1, 8)
    assert not torch.allclose(placed(x)[0], small_network("transformer_lstm")(x)[0], atol=1e-4)
