"""Mini-Xception against a forward pass of its Keras file, written out in NumPy."""

import json

import h5py
import numpy as np
import pytest
import torch

from circumplex.config.catalogue import published_weights, weights_folder
from circumplex.config.extractors.mini_xception import EXPRESSIONS
from circumplex.errors import RequestError
from circumplex.features.extractors import mini_xception
from circumplex.networks.mini_xception import MiniXception, pool_same, read_keras_state
from circumplex.networks.weights import Weights, build_network
from pictures import draw_face

ENTRY = published_weights()["mini_xception_fer2013"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_folder(ENTRY, tmp_path_factory.mktemp("cache")) / ENTRY.path


def padded(maps, kernel, stride, value):
    """Maps (height, width, channels) padded as TensorFlow's "same"."""
    amounts = []
    for side in maps.shape[:2]:
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        amounts.append((total // 2, total - total // 2))
    return np.pad(maps, [*amounts, (0, 0)], constant_values=value)


def windows(maps, kernel, stride):
    view = np.lib.stride_tricks.sliding_window_view(maps, (kernel, kernel), axis=(0, 1))
    return view[::stride, ::stride]  # (height, width, channels, kernel, kernel)


def forward_by_hand(path, image):
    """Follow the layers of the file's own description, for one grey image (64, 64)."""
    with h5py.File(path) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        stored = {
            name: {key.partition(":")[0]: np.asarray(v, np.float64) for key, v in inner.items()}
            for name, group in file["model_weights"].items()
            for inner in group.values()
            if isinstance(inner, h5py.Group)
        }
    outputs = {}
    for layer in layers:
        kind, config, name = layer["class_name"], layer["config"], layer["name"]
        inputs = [outputs[node[0]] for node in layer["inbound_nodes"][0]] if outputs else []
        own = stored.get(name, {})
        if kind == "InputLayer":
            result = (image[..., None].astype(np.float64) / 255 - 0.5) * 2
        elif kind in ("Conv2D", "SeparableConv2D"):
            kernel, stride = config["kernel_size"][0], config["strides"][0]
            same = config["padding"] == "same"
            maps = padded(inputs[0], kernel, stride, 0) if same else inputs[0]
            pieces = windows(maps, kernel, stride)
            if kind == "Conv2D":
                result = np.einsum("hwcij,ijco->hwo", pieces, own["kernel"])
            else:
                depth = np.einsum("hwcij,ijcd->hwc", pieces, own["depthwise_kernel"])
                result = depth @ own["pointwise_kernel"][0, 0]
            result = result + own.get("bias", 0)
        elif kind == "BatchNormalization":
            scale = own["gamma"] / np.sqrt(own["moving_variance"] + config["epsilon"])
            result = (inputs[0] - own["moving_mean"]) * scale + own["beta"]
        elif kind == "Activation" and config["activation"] == "relu":
            result = np.maximum(inputs[0], 0)
        elif kind == "Activation":
            powers = np.exp(inputs[0] - inputs[0].max())
            result = powers / powers.sum()
        elif kind == "MaxPooling2D":
            maps = padded(inputs[0], config["pool_size"][0], config["strides"][0], -np.inf)
            result = windows(maps, config["pool_size"][0], config["strides"][0]).max((-1, -2))
        elif kind == "Add":
            result = inputs[0] + inputs[1]
        else:
            assert kind == "GlobalAveragePooling2D"
            result = inputs[0].mean((0, 1))
        outputs[name] = result
    return result


def test_drawn_faces_as_by_hand(weights):
    extractor = mini_xception.build({"weights": str(weights)})
    faces = [draw_face(smile) for smile in (-1.0, 0.0, 1.0)]
    inputs = np.stack([extractor.prepare(face) for face in faces])
    found = extractor.embed(inputs)
    expected = np.stack([forward_by_hand(weights, image) for image in inputs])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    happy = found[:, EXPRESSIONS.index("happy")]
    assert happy[2] > happy[0], "the bent mouth counts"


@pytest.mark.parametrize("side", [4, 8, 15, 30, 60])
def test_pooling_pads_as_tensorflow(side):
    maps = np.random.default_rng(0).normal(size=(side, side + 1, 2))
    expected = windows(padded(maps, 3, 2, -np.inf), 3, 2).max((-1, -2))
    found = pool_same(torch.from_numpy(maps).permute(2, 0, 1)[None])
    np.testing.assert_array_equal(found[0].permute(1, 2, 0).numpy(), expected)


def test_a_file_of_something_else_is_refused(tmp_path):
    other = tmp_path / "other.hdf5"
    with h5py.File(other, "w") as file:
        file["model_weights/conv2d_1/conv2d_1/kernel:0"] = np.zeros((3, 3, 1, 8), np.float32)
    text = tmp_path / "text.hdf5"
    text.write_text("no")
    for path in (other, text):
        with pytest.raises(RequestError, match="no Keras file of a mini-Xception"):
            build_network(MiniXception, Weights(path), "cpu", read_keras_state)


def test_the_size_that_the_card_states():
    count = sum(value.numel() for value in MiniXception().parameters())
    assert 50_000 < count < 65_000
