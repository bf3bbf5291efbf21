import pytest

from circumplex.config.encoders.base import Initialisation
from circumplex.config.encoders.registry import (
    encoder_names,
    encoder_values,
    read_encoder,
    read_stored_encoder,
)
from circumplex.config.encoders.transformer import Positions
from circumplex.errors import RequestError
from small_networks import small_options


@pytest.mark.parametrize("kind", encoder_names())
def test_options_round_trip(kind):
    positions = {"positions": "sinusoidal"} if kind.startswith("transformer") else {}
    options = read_encoder({**small_options(kind), "initialisation": "normal", **positions})
    assert options.name == kind
    assert options.initialisation is Initialisation.NORMAL
    if positions:
        assert options.positions is Positions.SINUSOIDAL
    assert read_encoder(encoder_values(options)) == options


def test_a_model_file_of_an_earlier_release_holds_the_options_of_all_encoders():
    others = {"kernel_size": 3, "residual": True, "positions": "none", "encoder_dropout": 0.3}
    stored = {**encoder_values(read_encoder({"kind": "lstm", "hidden": 24})), **others}
    del stored["learning_rate"]
    assert read_stored_encoder(stored) == read_encoder({"kind": "lstm", "hidden": 24})
    with pytest.raises(RequestError, match="unknown key"):
        read_encoder(stored)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "there is no encoder None"),
        ({"kind": "gpt"}, "known: bilstm, gru, lstm, tcn, transformer, transformer_lstm"),
        ({"kind": "lstn"}, "did you mean 'lstm'"),
        ({"kind": "lstm", "hiden": 3}, "unknown key 'hiden' at encoder; did you mean 'hidden'"),
        ({"kind": "lstm", "feed_forward": 8}, "unknown key 'feed_forward'"),
        ({"kind": "lstm", "stride": 50}, "carries its state"),
        ({"kind": "gru", "stride": 50}, "carries its state"),
        ({"kind": "transformer_lstm", "stride": 50}, "carries its state"),
        ({"kind": "transformer_lstm", "hidden": 10}, "multiple of heads"),
        ({"kind": "gru", "hidden": 10, "fusion": "cross_attention"}, "multiple of heads"),
        ({"kind": "bilstm", "hidden": 7}, "each direction"),
        ({"kind": "tcn", "kernel_size": 4}, "no centre"),
        ({"kind": "transformer", "stride": 251}, "stride must lie in"),
        ({"kind": "transformer", "stride": 0}, "encoder.stride is 0: must be an integer from 1"),
        ({"kind": "transformer", "hidden": 10}, "multiple of heads"),
        ({"kind": "lstm", "regressor": []}, "encoder.regressor has 0 items: needs 1 or more"),
        ({"kind": "lstm", "hidden": 16.0}, "encoder.hidden is 16.0: must be an integer"),
        ({"kind": "lstm", "dropout": float("nan")}, "encoder.dropout is nan"),
        ({"kind": "transformer", "positions": "learnt"}, "encoder.positions is 'learnt'"),
    ],
)
def test_invalid_options(values, message):
    with pytest.raises(RequestError, match=message):
        read_encoder(values)
