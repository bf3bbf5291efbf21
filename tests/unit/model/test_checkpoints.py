"""Model files that are damaged or come from a stranger: one message, no prediction."""

import numpy as np
import pytest
import torch

from circumplex.errors import RequestError
from circumplex.model.checkpoints import TrainedModel, load_model, save_model
from circumplex.model.normalisation import Scaling
from circumplex.targets import Target


@pytest.fixture
def path(tmp_path):
    model = TrainedModel(
        spec={"encoder": {"kind": "lstm"}, "visual": ["fau"], "missing_modality": "zeros"},
        dimensions={"fau": 3},
        scalings={"fau": Scaling(np.zeros(3, "f4"), np.ones(3, "f4"))},
        checkpoints={target: [(1, {"a": torch.ones(2)})] for target in Target},
        seed=0,
        fold=None,
        metadata={},
    )
    save_model(model, tmp_path / "m.pt")
    assert load_model(tmp_path / "m.pt").epochs().keys() == {1}
    return tmp_path / "m.pt"


def test_a_cut_file(path):
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(RequestError, match=r"m\.pt cannot be read"):
            load_model(path)


@pytest.mark.parametrize("content", [[1], 3, None, torch.zeros(2)])
def test_other_content(path, content):
    torch.save(content, path)
    with pytest.raises(RequestError, match=r"m\.pt (cannot be read|is not a model file)"):
        load_model(path)


def epoch(weights):
    return {target.value: [[1, weights]] for target in Target}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spec", 3),
        ("spec", {}),
        ("dimensions", {"fau": 4}),
        ("dimensions", {"vggish": 3}),
        ("dimensions", [1]),
        ("scalings", {"fau": {"mean": torch.zeros(3)}}),
        ("scalings", {"fau": {"mean": torch.full((3,), torch.nan), "scale": torch.ones(3)}}),
        ("scalings", {"fau": {"varies": torch.ones(2, dtype=torch.bool)}}),
        ("scalings", {"fau": {"varies": torch.ones(3)}}),
        ("checkpoints", {}),
        ("checkpoints", {"valence": []}),
        ("checkpoints", {"mean": []}),
        ("checkpoints", epoch(3)),
        ("checkpoints", epoch({"a": torch.tensor([1.0, torch.nan])})),
        ("checkpoints", epoch({"a": torch.tensor([1.0, torch.inf])})),
        ("checkpoints", epoch({"a": torch.ones(2).to_sparse()})),
        ("checkpoints", epoch({"a": torch.ones(2, device="meta")})),
        ("checkpoints", epoch({"a": "x"})),
        ("metadata", 3),
    ],
)
def test_parts_that_are_otherwise(path, key, value):
    torch.save({**torch.load(path, weights_only=True), key: value}, path)
    with pytest.raises(RequestError, match=r"m\.pt is a damaged model file: "):
        load_model(path)


@pytest.mark.parametrize("key", ["spec", "dimensions", "scalings", "checkpoints", "seed", "fold"])
def test_parts_that_are_missing(path, key):
    value = torch.load(path, weights_only=True)
    del value[key]
    torch.save(value, path)
    with pytest.raises(RequestError, match=r"m\.pt is a damaged model file: "):
        load_model(path)
