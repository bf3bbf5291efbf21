"""The options that every encoder declares: the paper's defaults, and ranges."""

import pytest

from circumplex.config.encoders.registry import ENCODERS, encoder_names, read_encoder
from circumplex.errors import RequestError

LEARNING_RATES = {"lstm": 3e-4, "gru": 3e-4, "bilstm": 3e-4}
CARRIERS = {"gru", "lstm", "transformer_lstm"}


@pytest.mark.parametrize("name", encoder_names())
def test_defaults_go_together(name):
    options = read_encoder({"kind": name})
    assert options.name == name
    assert options.carries == (name in CARRIERS)
    assert options.learning_rate == LEARNING_RATES.get(name, 2e-4)
    segment = 100 if options.carries else 250
    assert (options.segment_length, options.stride) == (segment, segment)
    assert (options.hidden, options.dropout, options.regressor) == (512, 0.3, (512, 256))


@pytest.mark.parametrize("name", encoder_names())
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden", 0),
        ("layers", 1.0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("fusion_relu", 1),
        ("fusion", "sum"),
        ("initialisation", "zeros"),
    ],
)
def test_values_out_of_range_are_refused_by_key(name, key, value):
    with pytest.raises(RequestError, match=f"encoder.{key} is "):
        read_encoder({"kind": name, key: value})
    assert key in ENCODERS[name].model_fields
