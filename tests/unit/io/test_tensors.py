import stat

import pytest
import torch
from safetensors import safe_open

from circumplex.io.tensors import write_safetensors


def test_values_types_and_metadata_come_back(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "trained": torch.ones(2, requires_grad=True),
        "counts": torch.tensor([3, 4]),
    }
    write_safetensors(path, tensors, {"recipe": "r"})
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"recipe": "r"}
        assert set(file.keys()) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(file.get_tensor(name), tensor)
            assert file.get_tensor(name).dtype == tensor.dtype


def test_equal_tensors_give_equal_bytes_that_others_may_read(tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in paths:
        write_safetensors(path, {"x": torch.ones(3), "y": torch.zeros(2, 2)}, {"k": "v"})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(paths[0].stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"x": torch.ones(3)})
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write_safetensors(path, {"x": None})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
