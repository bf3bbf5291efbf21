import torch

from small_networks import random_features, small_network


def test_lstm_against_its_equations():
    """Hochreiter and Schmidhuber's cell with a forget gate, as PyTorch orders its gates."""
    model = small_network("lstm", layers=1)
    fused = model.fusion(random_features(1, 4))
    lstm = model.encoder.lstm
    h, c = torch.zeros(16), torch.zeros(16)
    for row in fused[0]:
        gates = lstm.weight_ih_l0 @ row + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0
        enter, forget, candidate, leave = gates.split(16)
        c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(candidate)
        h = torch.sigmoid(leave) * torch.tanh(c)
    hidden, (last_h, last_c) = model.encoder(fused, None, None)
    torch.testing.assert_close(hidden[0, -1], h, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(last_h[0, 0], h, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(last_c[0, 0], c, atol=1e-6, rtol=1e-5)
