import torch

from small_networks import random_features, small_network


def test_gru_against_its_equations():
    """One step of Cho et al. as PyTorch writes them: reset gate within the candidate."""
    model = small_network("gru", layers=1)
    x = random_features(1, 4)
    fused = model.fusion(x)[0]
    gru = model.encoder.gru
    h = torch.zeros(16)
    for row in fused:
        of_x = gru.weight_ih_l0 @ row + gru.bias_ih_l0
        of_h = gru.weight_hh_l0 @ h + gru.bias_hh_l0
        reset, update = torch.sigmoid(of_x[:32] + of_h[:32]).split(16)
        candidate = torch.tanh(of_x[32:] + reset * of_h[32:])
        h = (1 - update) * candidate + update * h
    hidden, (state,) = model.encoder(model.fusion(x), None, None)
    torch.testing.assert_close(hidden[0, -1], h, atol=1e-6, rtol=1e-5)
    assert torch.equal(state[0, 0], hidden[0, -1])
