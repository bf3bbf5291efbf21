"""The visual extractors, with random weights, and the driver that writes their tables."""

import math
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.errors import SampleError
from circumplex.features.batches import extract_in_batches
from circumplex.features.extractors import densenet, fau, iresnet
from circumplex.features.visual import read_frames, write_frames
from circumplex.io.parquet import TableWriter, frame_schema, read_columns, read_metadata
from circumplex.networks.densenet import grey_image
from circumplex.networks.weights import Weights, build_network
from circumplex.pipeline.store import SampleRequest, Task

RANDOM = {"weights": "random:1"}


def crop(seed: int) -> np.ndarray:
    """A smooth image with a colour and a texture of its own, exactly kept by PNG."""
    noise = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return cv2.resize(noise, (112, 112), interpolation=cv2.INTER_CUBIC)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def write_faces(path: Path, crops: list[bytes | None]) -> Path:
    schema = frame_schema(pa.field("valid", pa.bool_()), pa.field("crop", pa.binary()))
    frames = range(len(crops))
    with TableWriter(path, schema, {}) as table:
        for k in frames:
            table.write(frame=[k], time_s=[k / 7], valid=[crops[k] is not None], crop=[crops[k]])
    return path


def write_fill(path: Path, sources: list[int]) -> Path:
    schema = frame_schema(pa.field("source_frame", pa.int32()))
    with TableWriter(path, schema, {}) as table:
        frames = np.arange(len(sources))
        table.write(frame=frames, time_s=frames / 7, source_frame=sources)
    return path


class Counting:
    """Means of the colours, and a record of the crops it was given."""

    name, dimension = "counting", 3

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        return crop

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(crops)
        return crops.mean((1, 2)).astype(np.float32)


def run_visual(folder: Path, crops, sources, extractor, batch_size=4) -> np.ndarray:
    faces = write_faces(folder / "faces.parquet", crops)
    fill = write_fill(folder / "fill.parquet", sources)
    output = folder / "out.parquet"
    extractor.batch_size = batch_size
    task = Task(SampleRequest("sample", {}), output, {"made": "here"})

    def write(task, pieces):
        write_frames(task.output, extractor.name, extractor.dimension, pieces, task.metadata)

    def read(_task):
        return read_frames(faces, fill, extractor.prepare)

    for _, problem in extract_in_batches([task], extractor, read, write):
        if problem is not None:
            raise problem
    frame, time_s, source, values = read_columns(
        output, ["frame", "time_s", "source_frame", extractor.name]
    )
    assert read_metadata(output) == {"made": "here"}
    assert frame.tolist() == list(range(len(sources)))
    assert np.array_equal(time_s, frame / 7)
    assert source.tolist() == sources
    return values


@settings(max_examples=20, deadline=None)
@given(
    valid=st.lists(st.booleans(), min_size=1, max_size=12).filter(any), batch_size=st.integers(1, 5)
)
def test_each_frame_gets_its_source_and_each_source_is_computed_once(
    tmp_path_factory, valid, batch_size
) -> None:
    found = [k for k, is_valid in enumerate(valid) if is_valid]
    images = [crop(k) for k in range(len(valid))]
    crops = [png(image) if ok else None for image, ok in zip(images, valid, strict=True)]
    sources = [min(found, key=lambda s: abs(s - k)) for k in range(len(valid))]
    extractor = Counting()
    folder = tmp_path_factory.mktemp("faces")
    values = run_visual(folder, crops, sources, extractor, batch_size)
    for k, source in enumerate(sources):
        assert np.allclose(values[k], images[source].mean((0, 1))), k
    assert {len(batch) for batch in extractor.batches} <= {batch_size}
    assert len(extractor.batches) == math.ceil(len(found) / batch_size)
    given_crops = np.concatenate(extractor.batches)
    for row, source in enumerate(found):
        assert np.array_equal(given_crops[row], images[source])


def test_sources_that_span_the_pieces_of_a_table_are_computed_once(tmp_path) -> None:
    length = 2500
    same = png(crop(0))
    crops: list[bytes | None] = [same if k in (5, 1500, 2400) else None for k in range(length)]
    sources = [5] * 1000 + [1500] * 1048 + [2400] * 452
    extractor = Counting()
    values = run_visual(tmp_path, crops, sources, extractor, batch_size=1)
    assert len(extractor.batches) == 3
    assert np.allclose(values, crop(0).mean((0, 1)))


def test_a_video_without_frames_gives_an_empty_table(tmp_path) -> None:
    assert run_visual(tmp_path, [], [], Counting()).shape == (0, 3)


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (b"", "frame 1 is not a readable image"),
        (b"not an image", "frame 1 is not a readable image"),
        (png(crop(0)[:100, :90]), "frame 1 is 90x100 pixels, expected 112x112"),
    ],
)
def test_an_unusable_crop_is_named_and_leaves_no_table(tmp_path, encoded, problem) -> None:
    with pytest.raises(SampleError, match=problem):
        run_visual(tmp_path, [png(crop(0)), encoded], [0, 1], Counting())
    assert {path.name for path in tmp_path.iterdir()} == {"faces.parquet", "fill.parquet"}


@pytest.mark.parametrize("sources", [[1, 1, 0], [0, 0, 2], [0, 0, 3], [-1, 0, 1]])
def test_a_fill_that_does_not_belong_to_the_faces_is_a_bug(tmp_path, sources) -> None:
    with pytest.raises(ValueError, match=r"source_frame decreases|no crop for frame"):
        run_visual(tmp_path, [png(crop(0)), png(crop(1)), None], sources, Counting())


VISUAL = [
    (densenet, "densenet", 342, RANDOM),
    (iresnet, "iresnet", 512, {**RANDOM, "depth": 18}),
    (fau, "fau", 512, {**RANDOM, "depth": 18}),
]


@pytest.mark.parametrize(("module", "name", "dimension", "options"), VISUAL)
def test_a_feature_has_the_same_bits_alone_and_in_any_batch(
    tmp_path, module, name, dimension, options
) -> None:
    extractor = module.build(options)
    assert (extractor.name, extractor.dimension) == (name, dimension)
    images = [crop(seed) for seed in range(6)]
    together = run_visual(tmp_path, list(map(png, images)), list(range(6)), extractor)
    assert together.shape == (6, dimension)
    alone = run_visual(tmp_path, [png(images[2])], [0], extractor)
    moved = run_visual(tmp_path, [png(images[k]) for k in (5, 4, 2)], [0, 1, 2], extractor)
    assert np.array_equal(alone[0], together[2])
    assert np.array_equal(moved, together[[5, 4, 2]])
    assert np.isfinite(together).all()
    assert together.std(0).mean() > 0.02


def test_densenet_sees_normalised_grey() -> None:
    extractor = densenet.build({**RANDOM, "mean": 100.0, "deviation": 50.0})
    network = build_network(densenet.densenet.DenseNetBC, Weights(seed=1))
    image = np.repeat(np.arange(16, dtype=np.uint8)[:, None] * 12, 16, 1).repeat(7, 0).repeat(7, 1)
    colour = np.stack([image, 255 - image, image // 2], 2)
    grey = np.rint(colour @ np.array([0.299, 0.587, 0.114]))
    # Bilinear sampling at the centres of the 64 target pixels, written out in one dimension.
    at = np.clip((np.arange(64) + 0.5) * 112 / 64 - 0.5, 0, 111)
    rows = np.stack([np.interp(at, np.arange(112), grey[:, column]) for column in range(112)], 1)
    small = np.stack([np.interp(at, np.arange(112), row) for row in rows])
    assert np.abs(grey_image(colour) - small).max() <= 1
    pixels = grey_image(colour).astype(np.float32)
    with torch.inference_mode():
        expected = network.embed(torch.from_numpy((pixels - 100) / 50)[None, None])
    found = extractor.embed(extractor.prepare(colour)[None])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_iresnet_sees_rgb_from_minus_one_to_one() -> None:
    extractor = iresnet.build({**RANDOM, "depth": 18})
    network = build_network(iresnet.iresnet.iresnet18, Weights(seed=1))
    image = crop(4)
    pixels = image.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels.copy())[None])
    found = extractor.embed(image[None])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_fau_is_the_same_network_with_its_own_weights() -> None:
    image = crop(0)[None]
    options = {"weights": "random:1", "depth": 18}
    first = iresnet.build(options).embed(image)
    assert np.array_equal(first, fau.build(options).embed(image))
    other = fau.build({"weights": "random:2", "depth": 18}).embed(image)
    assert not np.allclose(first, other)
