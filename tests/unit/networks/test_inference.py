"""How networks are run: precision, compilation, layout."""

import numpy as np
import pytest
import torch

from circumplex.config.feature_options import BatchedOptions, ImageOptions
from circumplex.config.precision import Precision
from circumplex.errors import RequestError
from circumplex.features.extractors import densenet, iresnet, vggish, wav2vec2
from circumplex.io import devices
from circumplex.networks.arithmetic import Arithmetic
from circumplex.networks.inference import Exact, Inference, use_bfloat16

RANDOM = {"weights": "random:1"}
HALF = {"precision": "bfloat16"}


class Small(torch.nn.Module):
    """Convolution, norm and a sum, as in the residual networks."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, images):
        x = self.norm(self.first(images / 255))
        return self.head((x + self.second(torch.relu(x))).mean((2, 3)))


def small():
    torch.manual_seed(0)
    return Small().eval().requires_grad_(False)


def images(count=4):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8))


def run(arithmetic, count=4):
    return Inference(small(), arithmetic, "cpu")(images(count)).numpy()


def agreement(found, reference):
    """Least cosine, and largest relative error, of any row."""
    norms = np.linalg.norm(reference, axis=-1)
    cosine = (found * reference).sum(-1) / norms / np.linalg.norm(found, axis=-1)
    return cosine.min(), (np.linalg.norm(found - reference, axis=-1) / norms).max()


def test_float32_eager_is_the_network_itself():
    expected = small()(images().float()).numpy()
    assert np.array_equal(run(Arithmetic()), expected)


@pytest.mark.parametrize("channels_last", [False, True])
def test_layout_reaches_the_network(channels_last):
    seen = []
    network = small()
    network.first.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    Inference(network, Arithmetic(channels_last=channels_last), "cpu")(images())
    assert seen[0].is_contiguous(memory_format=torch.channels_last) is channels_last
    assert network.first.weight.is_contiguous(memory_format=torch.channels_last) is channels_last


def test_bfloat16_is_of_the_products_alone():
    network, seen = small(), {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _m, inputs, result, name=name: seen.update({name: (inputs[0], result)})
        )
    found = Inference(network, Arithmetic(Precision.BFLOAT16), "cpu")(images())
    assert found.dtype == torch.float32
    assert seen["norm"][0].dtype == seen["norm"][1].dtype == torch.float32
    assert network.first.weight.dtype == network.head.weight.dtype == torch.bfloat16
    assert network.norm.weight.dtype == torch.float32
    # By hand: inputs and weights rounded to bfloat16, the product rounded too, the rest float32.
    reference = small()

    def rounded(tensor):
        return tensor.to(torch.bfloat16).float()

    def product(function, module, x, **options):
        weight, bias = rounded(module.weight), rounded(module.bias)
        return rounded(function(rounded(x), weight, bias, **options))

    convolution = torch.nn.functional.conv2d
    x = reference.norm(product(convolution, reference.first, images() / 255, padding=1))
    x = (x + product(convolution, reference.second, torch.relu(x), padding=1)).mean((2, 3))
    expected = product(torch.nn.functional.linear, reference.head, x)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=2**-8)


def test_a_parametrised_weight_stays_as_it_is():
    network = torch.nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(4, 4, 3))
    ).eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    use_bfloat16(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_an_exact_part_stays_in_float32():
    network = small()
    network.first = Exact(network.first)
    expected = small().first(images() / 255)
    seen = []
    network.first.register_forward_hook(lambda _m, _inputs, result: seen.append(result))
    Inference(network, Arithmetic(Precision.BFLOAT16), "cpu")(images())
    assert network.second.weight.dtype == torch.bfloat16
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize("supported", [True, False])
@pytest.mark.parametrize("precision", list(Precision))
def test_a_processor_without_bfloat16_causes_a_warning(precision, supported, monkeypatch, caplog):
    monkeypatch.setattr(devices, "emulates_bfloat16", lambda _device: not supported)
    Inference(small(), Arithmetic(precision), "cpu")
    warned = "precision: bfloat16 is emulated" in caplog.text
    assert warned is (precision is Precision.BFLOAT16 and not supported)


@pytest.mark.slow
@pytest.mark.parametrize("precision", list(Precision))
def test_compiled_is_close_and_has_the_same_bits_at_any_position(precision):
    arithmetic = Arithmetic(precision, compile=True, channels_last=True)
    inference = Inference(small(), arithmetic, "cpu")
    found = inference(images()).numpy()
    cosine, error = agreement(found, run(Arithmetic()))
    assert cosine >= 0.9999
    assert error <= (1e-5 if precision is Precision.FLOAT32 else 0.02)
    order = [3, 1, 0, 2]
    assert np.array_equal(inference(images()[order]).numpy(), found[order])


@pytest.mark.parametrize("compiler", ["no-such-compiler", None])
def test_compilation_without_a_compiler_is_refused(monkeypatch, tmp_path, compiler):
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        monkeypatch.setenv("CXX", compiler)
    else:
        monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RequestError, match=rf"C\+\+ compiler, and {(compiler or 'g..')} is not"):
        Inference(small(), Arithmetic(compile=True), "cpu")
    Inference(small(), Arithmetic(), "cpu")


def test_the_arithmetic_of_options():
    images = ImageOptions(weights="random:0", compile=True, precision=Precision.BFLOAT16)
    assert Arithmetic.of(images) == Arithmetic(Precision.BFLOAT16, True, True)
    batches = BatchedOptions(weights="random:0")
    assert Arithmetic.of(batches) == Arithmetic()


def crops(count):
    """Smooth pictures."""
    x, y = np.meshgrid(np.linspace(0, 1, 112), np.linspace(0, 1, 112))
    waves = [
        np.stack([np.sin((2 + k + c) * x + c * y + k) for c in range(3)], 2) for k in range(count)
    ]
    return np.uint8((np.stack(waves) + 1) * 127)


FACES = [
    (densenet, {}, 0.01),
    (iresnet, {"depth": 18}, 0.01),
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "options", "largest_error"), FACES)
def test_bfloat16_keeps_the_features(module, options, largest_error):
    """Cosine of at least 0.9999 and the relative error that docs/extractors.md states."""
    options = {**RANDOM, "batch_size": 4, **options}
    plain, half = module.build(options), module.build({**options, **HALF})
    inputs = np.stack([plain.prepare(crop) for crop in crops(4)])
    reference, found = plain.embed(inputs), half.embed(inputs)
    cosine, error = agreement(found, reference)
    assert cosine >= 0.9999
    assert 0 < error <= largest_error
    order = [2, 0, 3, 1]
    assert np.array_equal(half.embed(inputs[order]), found[order])


def sounds(seconds, count):
    time = np.arange(round(seconds * 16000)) / 16000
    tones = [np.sin(2 * np.pi * (150 + 90 * k) * time + 3 * np.sin(5 * time)) for k in range(count)]
    return np.float32(0.2 * np.stack(tones))


@pytest.mark.slow
def test_bfloat16_keeps_vggish():
    plain = vggish.build({**RANDOM, "batch_size": 2})
    half = vggish.build({**RANDOM, "batch_size": 2, **HALF})
    inputs = sounds(0.975, 2)
    cosine, error = agreement(half.embed(inputs), plain.embed(inputs))
    assert cosine >= 0.9999
    assert 0 < error <= 0.02


def test_bfloat16_keeps_wav2vec2():
    options = {**RANDOM, "size": "small"}
    plain, half = wav2vec2.build(options), wav2vec2.build({**options, **HALF})
    inputs = sounds(3, 1)
    inputs = inputs / inputs.std()
    cosine, error = agreement(half.embed(inputs), plain.embed(inputs))
    assert cosine >= 0.9999
    assert 0 < error <= 0.02
