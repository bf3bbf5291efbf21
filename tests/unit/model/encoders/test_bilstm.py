import torch
from torch import nn

from small_networks import random_features, small_network


def test_a_bilstm_reads_both_ways_and_carries_nothing():
    model, x = small_network("bilstm"), random_features(2, 12)
    late, early = x.clone(), x.clone()
    late[:, -1] += 1
    early[:, 0] += 1
    plain = model(x)[0]
    assert (model(late)[0][:, 0] != plain[:, 0]).any()
    assert (model(early)[0][:, -1] != plain[:, -1]).any()


def test_each_half_is_an_lstm_of_its_direction():
    """The second half is an LSTM over the reversed segment, turned round again."""
    encoder = small_network("bilstm", layers=1).encoder
    fused = random_features(2, 6, dimension=16)
    hidden, state = encoder(fused, None, None)
    assert state is None
    for backward, suffix in ((False, ""), (True, "_reverse")):
        single = nn.LSTM(16, 8, batch_first=True)
        names = [name for name, _ in single.named_parameters()]
        single.load_state_dict({name: getattr(encoder.lstm, name + suffix) for name in names})
        expected, _ = single(fused.flip(1) if backward else fused)
        half = hidden[..., 8:] if backward else hidden[..., :8]
        torch.testing.assert_close(half, expected.flip(1) if backward else expected)
