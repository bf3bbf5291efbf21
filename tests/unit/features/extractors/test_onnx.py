"""ONNX networks of the form of EmotiEffLib's, small and synthetic; no real one is run here."""

import numpy as np
import pytest

from circumplex.errors import RequestError
from circumplex.features.extractors.onnx import build
from onnx_networks import SCORES, write_network

DRAW = np.random.default_rng(0)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def crops(count=3):
    return DRAW.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def embed(extractor, images):
    return extractor.embed(np.stack([extractor.prepare(image) for image in images]))


def colours(images):
    """What a resizing by linear interpolation to twice the size keeps: the mean, nearly."""
    return (images.mean((1, 2)) / 255 - MEAN) / DEVIATION


def test_the_last_two_of_ten_are_valence_and_arousal(tmp_path):
    extractor = build({"weights": write_network(tmp_path / "net.onnx"), "batch_size": 3})
    assert extractor.columns == ("valence", "arousal")
    images = crops()
    expected = (colours(images) @ SCORES)[:, [8, 9]]
    np.testing.assert_allclose(embed(extractor, images), expected, atol=0.02)
    found = embed(extractor, images)
    np.testing.assert_array_equal(embed(extractor, images[::-1]), found[::-1])


def test_outputs_by_name_stand_side_by_side(tmp_path):
    options = {"weights": write_network(tmp_path / "net.onnx"), "batch_size": 2}
    options |= {"outputs": ["colour", "output"], "take": [], "columns": [], "dimension": 13}
    images = crops(2)
    expected = np.concatenate([colours(images), colours(images) @ SCORES], axis=1)
    np.testing.assert_allclose(embed(build(options), images), expected, atol=0.02)


def test_channels_layout_and_fixed_batches(tmp_path):
    images = crops(2)
    plain = {"outputs": ["colour"], "take": [], "columns": [], "dimension": 3, "batch_size": 2}
    path = write_network(tmp_path / "last.onnx", (1, 224, 224, 3), axes=(1, 2))
    found = embed(build({**plain, "weights": path}), images)
    np.testing.assert_allclose(found, colours(images), atol=0.02)
    reversed_ = embed(build({**plain, "weights": path, "channels": "bgr"}), images)
    np.testing.assert_allclose(reversed_, colours(images)[:, ::-1], atol=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimension": 3}, "columns has 2 items, dimension is 3"),
        ({"take": [0, 10]}, "take names value 10, but the network gives 10"),
        ({"take": [], "columns": [], "dimension": 9}, "dimension is 9, but the network gives 10"),
        ({"outputs": ["logits"]}, "have no output 'logits'; there are output, colour"),
        ({"side": 112}, "the input is 224x224 pixels, side is 112"),
        ({"weights": "random:0"}, "an ONNX file holds the network itself, so name a file"),
        ({"weights": "nowhere.onnx"}, "nowhere.onnx are missing"),
        ({"channels": "grey"}, "channels is 'grey', but must be one of"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, message):
    options = {"weights": write_network(tmp_path / "net.onnx"), "batch_size": 2, **changes}
    with pytest.raises(RequestError, match=message):
        build(options)


def test_other_files_and_inputs_are_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(RequestError, match="are no ONNX network"):
        build({"weights": str(tmp_path / "text.onnx")})
    grey = write_network(tmp_path / "grey.onnx", ("batch", 1, 224, 224))
    with pytest.raises(RequestError, match="the input has 1 channels, not 3"):
        build({"weights": grey})
    eight = write_network(tmp_path / "eight.onnx", (8, 3, 224, 224))
    with pytest.raises(RequestError, match="take batches of 8: set batch_size to it"):
        build({"weights": eight, "batch_size": 3})
