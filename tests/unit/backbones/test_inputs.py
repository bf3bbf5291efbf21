"""Inputs of backbones: those of the extractors where plain, the same in any process otherwise."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from circumplex.backbones.inputs import (
    DenseNetInput,
    IResNetInput,
    StillBatch,
    StillImages,
    StillInput,
    make_loader,
)
from circumplex.backbones.sampling import BalancedBatches, OrderedBatches
from circumplex.backbones.stills import SetDescription, Still, StillSplit, read_stills, write_stills
from circumplex.errors import SampleError
from circumplex.faces.similarity import ARCFACE_TEMPLATE, crop_face
from circumplex.networks.densenet import grey_image

DENSENET = DenseNetInput()
IRESNET = IResNetInput(erasing=0.5, blur=0.5)
STILL = {
    DENSENET: DenseNetInput(pad=0, flip=0, rotation_deg=0),
    IRESNET: IResNetInput(0, 0, 0, 0, 0, 0, 0, grey=0, blur=0, erasing=0),
}
EACH = pytest.mark.parametrize("transform", [DENSENET, IRESNET], ids=["densenet", "iresnet"])
POINTS = (ARCFACE_TEMPLATE * 1.5 + 20).astype(np.float32)


def _image(seed: int = 0, size: tuple[int, int] = (112, 112)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 7, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@EACH
@pytest.mark.parametrize("size", [(48, 48), (112, 112), (100, 100), (256, 200)])
def test_shape_and_type(transform: StillInput, size: tuple[int, int]) -> None:
    shape = (1, 64, 64) if isinstance(transform, DenseNetInput) else (3, 112, 112)
    for points in (None, POINTS):
        for image in (
            transform.plain(_image(size=size), points),
            transform.augment(_image(size=size), points, _rng()),
        ):
            assert image.shape == shape
            assert image.dtype == np.uint8
            assert image.flags.c_contiguous


def test_plain_is_what_the_extractors_see() -> None:
    crop = _image()
    np.testing.assert_array_equal(DENSENET.plain(crop, None)[0], grey_image(crop))
    np.testing.assert_array_equal(IRESNET.plain(crop, None), crop.transpose(2, 0, 1))
    picture = _image(size=(300, 280))
    aligned = crop_face(picture, POINTS)
    np.testing.assert_array_equal(IRESNET.plain(picture, POINTS), aligned.transpose(2, 0, 1))
    np.testing.assert_array_equal(DENSENET.plain(picture, POINTS)[0], grey_image(aligned))


@EACH
@pytest.mark.parametrize("points", [None, POINTS], ids=["crop", "landmarks"])
def test_augmentation_of_nothing_changes_nothing(
    transform: StillInput, points: np.ndarray | None
) -> None:
    picture = _image(size=(280, 280))
    plain = transform.plain(picture, points)
    np.testing.assert_allclose(STILL[transform].augment(picture, points, _rng()), plain, atol=1)


def test_densenet_mirrors_and_shifts_by_whole_pixels() -> None:
    plain = DENSENET.plain(_image(), None)[0]
    mirrored = DenseNetInput(pad=0, flip=1, rotation_deg=0).augment(_image(), None, _rng())[0]
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    seen = set()
    padded = np.pad(plain, 8, constant_values=131)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (64, 64))
    for seed in range(30):
        shifted = DenseNetInput(flip=0, rotation_deg=0).augment(_image(), None, _rng(seed))[0]
        found = np.argwhere((windows == shifted).all(axis=(2, 3)))
        assert len(found) == 1
        seen.update(found[0].tolist())
    assert min(seen) == 0
    assert max(seen) == 16


def test_densenet_turns_by_at_most_fifteen_degrees() -> None:
    spot = np.zeros((64, 64, 3), np.uint8)
    spot[30:34, 54:58] = 255
    angles = []
    for seed in range(200):
        black = DenseNetInput(mean=0.0, pad=0, flip=0)
        turned = black.augment(spot, None, _rng(seed))[0].astype(float)
        rows, columns = np.indices(turned.shape)
        y, x = ((i * turned).sum() / turned.sum() - 31.5 for i in (rows, columns))
        angles.append(np.degrees(np.arctan2(y, x)))
    assert -15.5 < min(angles) < -13
    assert 13 < max(angles) < 15.5


def test_iresnet_keeps_grey_images_grey() -> None:
    grey = np.repeat(_image()[:, :, :1], 3, axis=2)
    for seed in range(20):
        image = IResNetInput().augment(grey, None, _rng(seed)).astype(int)
        assert np.ptp(image, axis=0).max() <= 1


def test_iresnet_colours_change_as_asked() -> None:
    plain = replace(STILL[IRESNET], brightness=0.2)
    ratios = [plain.augment(_image() // 2, None, _rng(seed)).mean() for seed in range(60)]
    ratios = np.array(ratios) / (_image() // 2).mean()
    assert 0.79 < ratios.min() < 0.85
    assert 1.15 < ratios.max() < 1.21
    contrasts = replace(STILL[IRESNET], contrast=0.2)
    image = _image() // 2 + 64
    deviations = [contrasts.augment(image, None, _rng(s)).std() / image.std() for s in range(60)]
    assert 0.75 < min(deviations) < 0.9
    assert 1.1 < max(deviations) < 1.25
    grey = replace(STILL[IRESNET], grey=1).augment(_image(), None, _rng())
    np.testing.assert_array_equal(grey[0], cv2.cvtColor(_image(), cv2.COLOR_RGB2GRAY))


def test_erasing_takes_one_rectangle() -> None:
    erasing = replace(STILL[IRESNET], erasing=1)
    image = np.full((112, 112, 3), 7, np.uint8)
    for seed in range(20):
        changed = (erasing.augment(image, None, _rng(seed)) != 7).any(axis=0)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box.mean() > 0.97
        assert 0.01 < changed.mean() < 0.21
    assert (image == 7).all()


def test_normalised_as_the_extractors_do() -> None:
    grey = torch.tensor([131, 0], dtype=torch.uint8).reshape(1, 1, 1, 2)
    expected = torch.tensor([(131 - 131.0754) / 47.858177, -131.0754 / 47.858177])
    torch.testing.assert_close(DENSENET.normalise(grey).flatten(), expected)
    colours = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert IRESNET.normalise(colours).flatten().tolist() == [-1.0, 1.0]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    stills = []
    for index in range(10):
        bgr = cv2.cvtColor(_image(index), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), bgr)
        landmarks = tuple(ARCFACE_TEMPLATE.flatten()) if index % 2 else None
        stills.append(Still(f"{index}.jpg", StillSplit.TRAIN, label=index % 3, landmarks=landmarks))
    path = tmp_path / "stills.parquet"
    write_stills(path, SetDescription("made", "rafdb", str(tmp_path)), stills)
    return path


def _epochs(table: Path, transform: StillInput, workers: int, *epochs: int) -> list[StillBatch]:
    sets = [read_stills(table), read_stills(table)]
    batches = BalancedBatches([stills.labels for stills in sets], 4, seed=5)
    loader = make_loader(StillImages(sets, transform, augment=True, seed=5), batches, workers)
    found = []
    for epoch in epochs:
        batches.set_epoch(epoch)
        found += list(loader)
    return found


@EACH
def test_batches_are_the_same_in_any_number_of_workers(table: Path, transform: StillInput) -> None:
    alone = _epochs(table, transform, 0, 0, 1)
    assert len(alone) == 10
    for one, other in zip(alone, _epochs(table, transform, 2, 0, 1), strict=True):
        assert all(torch.equal(part, same) for part, same in zip(one, other, strict=True))
    resumed = _epochs(table, transform, 0, 1)
    assert all(torch.equal(a.images, b.images) for a, b in zip(alone[5:], resumed, strict=True))
    assert not torch.equal(alone[0].images, alone[5].images)


def test_an_image_drawn_twice_is_changed_twice(table: Path) -> None:
    batches = BalancedBatches([np.zeros(1, np.int8)], 4, seed=0, epoch_size=4)
    images = StillImages([read_stills(table)], DENSENET, augment=True)
    (batch,) = make_loader(images, batches)
    assert batch.rows.tolist() == [0] * 4
    assert len({image.numpy().tobytes() for image in batch.images}) == 4


def test_for_scoring_images_come_plain_and_in_order(table: Path) -> None:
    stills = read_stills(table)
    loader = make_loader(
        StillImages([stills], DENSENET, augment=False), OrderedBatches(len(stills), 4)
    )
    assert [row for batch in loader for row in batch.rows[batch.valid].tolist()] == list(range(10))
    first = next(iter(loader)).images[0].numpy()
    np.testing.assert_array_equal(first, DENSENET.plain(stills.image(0), None))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_broke_since_is_named(table: Path, workers: int) -> None:
    (table.parent / "3.jpg").write_bytes(b"gone")
    loader = make_loader(
        StillImages([read_stills(table)], DENSENET, augment=False), OrderedBatches(10, 4), workers
    )
    with pytest.raises(SampleError, match=r"made: 3\.jpg"):
        list(loader)
