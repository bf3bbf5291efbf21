import json

import pytest
import torch
from transformers import BertConfig, BertModel

from circumplex.errors import RequestError
from circumplex.networks.transformers import check_dimension, load_pretrained, read_preprocessor
from circumplex.networks.weights import Weights

SIZES = {
    "vocab_size": 11,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES)).eval()
    model.save_pretrained(tmp_path / "bert")
    return model, tmp_path / "bert"


def load(folder, optional=(), foreign=()):
    return load_pretrained(
        Weights(file=folder), BertModel, optional=optional, foreign=foreign, example="someone/bert"
    )


def rewrite(folder, change):
    """Change the weights of a folder, as a PyTorch file."""
    state = BertModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(change(state), folder / "pytorch_model.bin")


def test_a_loaded_model_computes_what_the_saved_one_did(saved):
    model, folder = saved
    loaded = load(folder)
    tokens = torch.tensor([[1, 5, 2]])
    with torch.no_grad():
        expected = model(tokens).last_hidden_state
    assert torch.equal(loaded(tokens).last_hidden_state, expected)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_half_precision_weights_become_float32(saved):
    model, folder = saved
    model.half().save_pretrained(folder)
    assert {value.dtype for value in load(folder).parameters()} == {torch.float32}


def test_a_folder_without_weights_is_refused_with_an_example(saved):
    _, folder = saved
    (folder / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"expected a folder with config\.json .* someone/bert"):
        load(folder)


def test_keys_that_are_missing_or_extra_are_named_unless_allowed(saved):
    _, folder = saved
    rewrite(
        folder,
        lambda state: {
            **{key: value for key, value in state.items() if not key.startswith("pooler")},
            "head.weight": torch.zeros(1),
        },
    )
    with pytest.raises(RequestError, match=r"missing \(pooler.* unexpected \(head\.weight"):
        load(folder)
    assert load(folder, optional=("pooler",), foreign=("head",)).config.hidden_size == 8


def test_a_weight_of_another_shape_is_named_with_both_shapes(saved):
    _, folder = saved
    rewrite(folder, lambda state: {**state, "pooler.dense.bias": torch.zeros(3)})
    with pytest.raises(RequestError, match=r"pooler\.dense\.bias \(3,\) instead of \(8,\)"):
        load(folder)


def test_broken_weights_are_refused(saved):
    _, folder = saved
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(RequestError, match="cannot be loaded"):
        load(folder)


def test_a_preprocessor_is_read_or_its_absence_explained(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"do_normalize": True}))
    assert read_preprocessor(tmp_path) == {"do_normalize": True}
    path.write_text("{")
    with pytest.raises(RequestError, match="says how the input is normalised"):
        read_preprocessor(tmp_path)


def test_another_dimension_is_refused_with_the_right_one():
    check_dimension("vit", 384, 384)
    with pytest.raises(RequestError, match=r"features\.vit\.dimension is 384, .* dimension: 768"):
        check_dimension("vit", 384, 768)
