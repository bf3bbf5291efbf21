import cv2
import numpy as np
import pytest

from circumplex.faces.appearance import describe_face

FACE = np.array([100.0, 50.0, 180.0, 150.0])


def scene(seed: int) -> np.ndarray:
    """A smooth picture with colours of its own, no pixel near white."""
    coarse = np.random.default_rng(seed).integers(10, 160, (20, 30, 3)).astype(np.uint8)
    return cv2.resize(coarse, (300, 200), interpolation=cv2.INTER_LINEAR)


def describe(image: np.ndarray, face: np.ndarray = FACE) -> np.ndarray:
    x, y = face[:2].astype(int).clip(0, 80)
    return describe_face(image, image[y : y + 112, x : x + 112], face)


def test_is_of_unit_length_and_distinguishes_people():
    appearances = [describe(scene(seed)) for seed in range(4)]
    likeness = np.stack(appearances) @ np.stack(appearances).T
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-5)
    assert likeness[~np.eye(4, dtype=bool)].max() < 0.6


@pytest.mark.parametrize("change", [0.5, 0.98, 1.4])
def test_brightness_of_the_whole_picture_hardly_counts(change):
    image = scene(0)
    assert describe(image) @ describe((image * change).astype(np.uint8)) > 0.97


def test_a_small_step_hardly_counts():
    image = scene(0)
    assert describe(image) @ describe_face(image, image[50:162, 80:192], FACE + 1) > 0.97


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_picture_without_structure_has_an_appearance(level):
    flat = np.full((200, 300, 3), level, np.uint8)
    assert np.isfinite(describe(flat)).all()


def test_a_face_outside_the_picture_has_a_look():
    assert np.isfinite(describe(scene(0), np.array([-900.0, -900, -800, -800]))).all()
    assert np.isfinite(describe(scene(0), np.array([50.0, 50, 50, 50]))).all()
