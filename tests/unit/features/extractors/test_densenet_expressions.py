"""Expressions by the DenseNet, against its arithmetic written out; and the weights that ship."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from circumplex.backbones.stills import EXPRESSIONS as TRAINED
from circumplex.config.catalogue import published_weights, weights_folder
from circumplex.config.extractors.densenet_expressions import EXPRESSIONS, FEATURE, Options
from circumplex.errors import RequestError
from circumplex.faces.similarity import ARCFACE_TEMPLATE, similarity
from circumplex.features.extractors import densenet_expressions
from circumplex.networks.densenet import DenseNetBC
from networks_by_hand import densenet_by_hand, unlike_initial
from pictures import draw_face

BLOCKS = (6, 9, 22)
ENTRY = published_weights()[FEATURE.text.published]


def test_probabilities_as_by_hand(tmp_path):
    network = DenseNetBC(BLOCKS)
    state = unlike_initial(network)
    path = tmp_path / "network.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    extractor = densenet_expressions.build({"weights": str(path), "mean": 100, "deviation": 50})
    inputs = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    images = (torch.from_numpy(inputs).float()[:, None] - 100) / 50
    views = []
    for view in (images, images.flip(3)):
        features = densenet_by_hand(view, state, BLOCKS)
        logits = features @ state["classifier.weight"].T + state["classifier.bias"]
        views.append(torch.softmax(logits, dim=1).numpy())
    expected = np.mean(views, axis=0)
    found = extractor.embed(inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_square_frames_a_face_as_training_did():
    """It follows from where crops and FER+'s images have the five points, on average."""
    in_ferplus = [(20.76, 24.69), (44.27, 24.21), (32.13, 38.38), (22.65, 50.54), (42.39, 50.28)]
    matrix = similarity(ARCFACE_TEMPLATE, np.array(in_ferplus))
    scale = np.linalg.norm(matrix[:, 0])
    left, top = -np.linalg.solve(matrix[:, :2], matrix[:, 2])  # the corner of the input
    expected = [round(value) for value in (left, top, 64 / scale)]
    module = densenet_expressions
    assert expected == [module.LEFT, module.TOP, module.SIDE]


def test_the_network_sees_the_square_alone(tmp_path):
    path = weights_folder(ENTRY, tmp_path) / ENTRY.path
    extractor = densenet_expressions.build({"weights": str(path)})
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    square = (slice(14, 112), slice(6, 104))
    around = np.zeros_like(crop)
    around[square] = crop[square]
    seen = extractor.prepare(crop)
    np.testing.assert_array_equal(extractor.prepare(around), seen)
    assert seen.shape == (64, 64)
    assert seen.std() < 0.6 * crop.mean(axis=2).std(), "as coarse as 48x48 pixels"


def test_weights_of_other_blocks_are_refused(tmp_path):
    path = tmp_path / "network.safetensors"
    save_file(DenseNetBC((16, 16, 16)).state_dict(), path)
    with pytest.raises(RequestError, match="do not fit DenseNetBC"):
        densenet_expressions.build({"weights": str(path)})


def test_the_outputs_are_the_classes_of_training_in_their_order():
    assert EXPRESSIONS == TRAINED


def test_the_package_brings_the_weights(tmp_path):
    path = weights_folder(ENTRY, tmp_path) / ENTRY.path
    content = path.read_bytes()
    assert len(content) == ENTRY.files[0].size
    assert hashlib.sha256(content).hexdigest() == ENTRY.files[0].sha256
    assert Options.read({}, "features.x").weights == f"published:{ENTRY.name}"


def test_a_smile_is_happy(tmp_path):
    path = weights_folder(ENTRY, tmp_path) / ENTRY.path
    extractor = densenet_expressions.build({"weights": str(path)})
    faces = [draw_face(smile) for smile in (-1.0, 1.0)]
    found = extractor.embed(np.stack([extractor.prepare(face) for face in faces]))
    happy = found[:, EXPRESSIONS.index("happiness")]
    assert happy[1] > happy[0], "the bent mouth counts"
