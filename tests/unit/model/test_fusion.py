import pytest
import torch
from torch import nn

from circumplex.config.training import TrainingSpec
from circumplex.errors import RequestError
from small_networks import random_features, small_network


def test_concatenation_is_one_linear_layer_per_frame():
    layer, x = small_network("lstm").fusion[0], random_features(2, 3)
    expected = torch.einsum("rfd,hd->rfh", x, layer.weight) + layer.bias
    torch.testing.assert_close(layer(x), expected, atol=1e-6, rtol=1e-5)
    padding, absent = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3, 2)
    assert torch.equal(layer(x, padding, absent), layer(x))


def test_cross_attention_by_hand():
    model, x = small_network("gru", fusion="cross_attention", heads=1), random_features(1, 4)
    first = model.fusion[0]
    picture, sound = first.picture(x[0, :, :3]), first.sound(x[0, :, 3:])

    def attend(attention, queries, keys):
        wq, wk, wv = attention.in_proj_weight.chunk(3)
        bq, bk, bv = attention.in_proj_bias.chunk(3)
        scores = (queries @ wq.T + bq) @ (keys @ wk.T + bk).T / 4
        return attention.out_proj(torch.softmax(scores, dim=1) @ (keys @ wv.T + bv))

    joined = torch.cat(
        [
            picture + attend(first.to_sound, picture, sound),
            sound + attend(first.to_picture, sound, picture),
        ],
        dim=1,
    )
    torch.testing.assert_close(model.fusion(x)[0], first.join(joined), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("absent", [0, 1])
def test_cross_attention_takes_nothing_from_an_absent_modality(absent):
    model, x = small_network("gru", flags=2, fusion="cross_attention"), random_features(3, 6)
    values = torch.cat([x, torch.zeros(3, 6, 2)], dim=2)
    plain = model(values)[0]
    values[1, :, 5 + absent] = 1
    values[1, :, slice(0, 3) if absent == 0 else slice(3, 5)] = 0
    flagged = model(values)[0]
    assert torch.isfinite(flagged).all()
    torch.testing.assert_close(flagged[[0, 2]], plain[[0, 2]])
    first = model.fusion[0]
    other = first.picture(values[1, :, :3]) if absent else first.sound(values[1, :, 3:5])
    fused = first(values[..., :5], None, values[..., 5:])[1]
    half = slice(0, 16) if absent else slice(16, 32)
    # Solve for what entered the last layer on the other side: that side alone, nothing added.
    picked = nn.Linear(32, 16)
    picked.load_state_dict(first.join.state_dict())
    with torch.no_grad():
        picked.weight[:, 16 if absent else 0 : 32 if absent else 16] = 0
        first.join.load_state_dict(picked.state_dict())
        entered = torch.zeros(6, 32)
        entered[:, half] = other
        torch.testing.assert_close(
            first(values[..., :5], None, values[..., 5:])[1], picked(entered), atol=1e-6, rtol=1e-5
        )
    assert torch.isfinite(fused).all()


def test_cross_attention_needs_both_modalities():
    for visual in ((0, 0), (5, 2)):
        with pytest.raises(RequestError, match="visual and audio"):
            small_network("lstm", fusion="cross_attention", visual=visual)
    with pytest.raises(RequestError, match="visual and audio"):
        TrainingSpec.read(
            {"encoder": {"kind": "lstm", "fusion": "cross_attention"}, "visual": ["a"]}
        )
