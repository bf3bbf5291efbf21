import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from circumplex.errors import RequestError
from circumplex.networks.weights import Weights, build_network, digest_path, load_into, load_state


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    values = {name: torch.rand(t.shape) for name, t in small().state_dict().items() if t.dim()}
    return {**values, "1.num_batches_tracked": torch.tensor(5)}


def write(path: Path, content) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in content.items()})
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors", "w.npz"])
def test_checkpoints_of_each_kind_load_strictly(tmp_path, state, name) -> None:
    network = build_network(small, Weights(file=write(tmp_path / name, state)))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[key]), key


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrappings_of_training_are_undone(tmp_path, state, wrapped, prefix) -> None:
    content = {prefix + key: tensor for key, tensor in state.items()}
    path = write(tmp_path / "w.pth", {"state_dict": content, "epoch": 3} if wrapped else content)
    assert load_state(path).keys() == state.keys()


def test_a_misfit_is_refused_by_its_keys(tmp_path, state) -> None:
    del state["0.bias"]
    state["head.weight"] = torch.zeros(2)
    state["1.weight"] = torch.zeros(3)
    path = write(tmp_path / "w.pth", state)
    network = small()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(RequestError) as refusal:
        load_into(network, Weights(file=path))
    for part in (
        "w.pth",
        "1 missing (0.bias)",
        "1 unexpected (head.weight)",
        "1 misshaped (1.weight (3,) instead of (2,))",
    ):
        assert part in str(refusal.value)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


def test_a_misfit_names_the_first_keys_and_counts_the_rest(tmp_path) -> None:
    path = write(tmp_path / "w.pth", {"a": torch.zeros(1)})
    with pytest.raises(RequestError, match=r"7 missing \(0.weight, 0.bias, 1.weight, \.\.\.\)"):
        load_into(small(), Weights(file=path))


def test_a_missing_file_is_named_with_where_to_put_it(tmp_path) -> None:
    weights = Weights(file=tmp_path / "absent.pth")
    for ask in (weights.identity, weights.checked_file, lambda: build_network(small, weights)):
        with pytest.raises(RequestError, match=r"absent\.pth are missing: put the checkpoint"):
            ask()


def test_a_file_is_identified_by_its_content(tmp_path, state) -> None:
    path = write(tmp_path / "w.pth", state)
    weights = Weights.parse(str(path))
    assert weights.identity() == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    build_network(small, weights)


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_a_file_with_code_is_refused_unrun(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "w.pth", {"a": Payload()})
    with pytest.raises(RequestError, match="cannot be read"):
        load_state(path)
    assert not Path("touched").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_arrays_of_numpy_in_a_pytorch_file_are_taken_for_tensors(tmp_path, state, legacy) -> None:
    path = tmp_path / "w.pth"
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    torch.save(arrays, path, _use_new_zipfile_serialization=not legacy)
    if legacy:  # as written with NumPy 1
        content = path.read_bytes()
        assert b"cnumpy._core.multiarray\n" in content
        path.write_bytes(content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    loaded = load_state(path)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_an_array_of_objects_is_no_tensor(tmp_path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": np.array([Payload()], object)}, path)
    with pytest.raises(RequestError, match="cannot be read"):
        load_state(path)
    torch.save({"a": np.array(["text"])}, path)
    with pytest.raises(RequestError, match=r"cannot be read|no state dict"):
        load_state(path)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.npz"])
@pytest.mark.parametrize("content", [b"", b"no checkpoint at all"])
def test_an_unreadable_file_is_refused(tmp_path, name, content) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RequestError, match="cannot be read"):
        load_state(path)


@pytest.mark.parametrize("content", [{}, {"a": 1}, [torch.zeros(1)], torch.zeros(1)])
def test_what_is_no_state_dict_is_refused(tmp_path, content) -> None:
    with pytest.raises(RequestError, match="no state dict"):
        load_state(write(tmp_path / "w.pth", content))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.npz"])
def test_a_cut_file_is_refused_wherever_it_ends(tmp_path, state, name) -> None:
    path = write(tmp_path / name, state)
    whole = path.read_bytes()
    for size in (1, 30, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(RequestError, match=rf"weights .*{name} cannot be read: "):
            load_state(path)


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (torch.ones(2).to_sparse(), "sparse_coo"),
        (torch.ones(2, 2).to_sparse_csr(), "sparse_csr"),
        (torch.ones(2, device="meta"), "meta"),
        (torch.ones(2, dtype=torch.complex64), "complex64"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "qint8|cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_no_plain_arrays_are_refused(tmp_path, state, tensor, kind) -> None:
    path = write(tmp_path / "w.pth", {**state, "1.bias": tensor})
    with pytest.raises(RequestError, match=rf"w\.pth .*({kind})"):
        load_into(small(), Weights(file=path))


@pytest.mark.parametrize("content", [{0: torch.zeros(1)}, {(1, 2): torch.zeros(1)}])
def test_keys_that_are_no_names_are_refused(tmp_path, content) -> None:
    with pytest.raises(RequestError, match="no state dict"):
        load_state(write(tmp_path / "w.pth", content))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.npz"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("0.weight", torch.nan), ("0.weight", torch.inf), ("1.running_var", torch.nan)],
)
def test_values_that_are_not_finite_are_refused(tmp_path, state, name, key, value) -> None:
    state[key] = state[key].clone()
    state[key].view(-1)[1] = value
    network = small()
    before = network.state_dict()[key].clone()
    message = rf"{name}: 1 of \d+ values of {key} are not finite numbers"
    with pytest.raises(RequestError, match=message):
        load_into(network, Weights(file=write(tmp_path / name, state)))
    assert torch.equal(network.state_dict()[key], before)


def test_a_double_beyond_single_precision_is_refused(tmp_path, state) -> None:
    state["0.bias"] = torch.tensor([1e300, 1.0], dtype=torch.float64)
    with pytest.raises(RequestError, match=r"1 of 2 values of 0\.bias"):
        load_into(small(), Weights(file=write(tmp_path / "w.pth", state)))


def test_stand_ins_depend_on_the_seed_alone() -> None:
    one = build_network(small, Weights(seed=1)).state_dict()
    torch.rand(5)
    again = build_network(small, Weights(seed=1)).state_dict()
    other = build_network(small, Weights(seed=2)).state_dict()
    assert torch.equal(one["0.weight"], again["0.weight"])
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_building_leaves_the_random_state_alone(tmp_path, state) -> None:
    path = write(tmp_path / "w.pth", state)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    build_network(small, Weights(seed=1))
    build_network(small, Weights(file=path))
    assert torch.equal(torch.rand(3), expected)


def test_the_choice_is_read_from_the_config() -> None:
    assert Weights.parse("random:0") == Weights(seed=0)
    assert Weights.parse("random:3").identity() == "random:3"
    assert Weights.parse("random:0").is_random
    assert Weights.parse("a.pth") == Weights(file=Path("a.pth"))
    assert not Weights.parse("a.pth").is_random


@pytest.mark.parametrize("choice", ["published:vggish", "trained:mine"])
def test_a_name_that_stands_for_a_file_is_refused(choice) -> None:
    with pytest.raises(RequestError, match=f"weights {choice} stand for a file"):
        Weights.parse(choice)


def test_a_folder_is_identified_by_its_model_files(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "model.safetensors").write_bytes(b"tensors")
    first = digest_path(tmp_path)
    (tmp_path / "README.md").write_text("not of the model")
    assert digest_path(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"others")
    second = digest_path(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert len({first, second, digest_path(tmp_path)}) == 3
