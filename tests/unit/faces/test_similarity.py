import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circumplex.faces.similarity import ARCFACE_TEMPLATE, crop_face, similarity


def solved(landmarks: np.ndarray, template: np.ndarray) -> np.ndarray:
    """The same fit as linear equations in a, b, x, y of [[a, -b, x], [b, a, y]]."""
    rows, values = [], []
    for (x, y), (u, v) in zip(landmarks, template, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, x, y = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return np.array([[a, -b, x], [b, a, y]])


@given(
    seed=st.integers(0, 2**32 - 1),
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.05, 20),
    jitter=st.floats(0, 10),
)
def test_is_the_least_squares_similarity(seed, angle, scale, jitter):
    rng = np.random.default_rng(seed)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    noisy = ARCFACE_TEMPLATE + rng.normal(0, jitter, (5, 2))
    landmarks = noisy @ turn.T + rng.uniform(-500, 500, 2)
    expected = solved(landmarks, ARCFACE_TEMPLATE)
    np.testing.assert_allclose(
        similarity(landmarks, ARCFACE_TEMPLATE), expected, rtol=1e-6, atol=1e-6
    )


def test_never_mirrors():
    mirrored = ARCFACE_TEMPLATE * (-1, 1)
    linear = similarity(mirrored, ARCFACE_TEMPLATE)[:, :2]
    assert np.linalg.det(linear) > 0
    np.testing.assert_allclose(
        similarity(mirrored, ARCFACE_TEMPLATE), solved(mirrored, ARCFACE_TEMPLATE), atol=1e-9
    )


def test_one_point_has_no_similarity():
    with pytest.raises(ValueError, match="the same point"):
        similarity(np.ones((5, 2)), ARCFACE_TEMPLATE)


def test_crop_of_an_aligned_picture_is_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    np.testing.assert_array_equal(crop_face(image, ARCFACE_TEMPLATE.reshape(-1)), image)


@pytest.mark.parametrize(("angle", "scale"), [(0.0, 2.0), (0.5, 3.0), (-1.2, 1.5)])
def test_landmarks_land_on_the_template(angle, scale):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (ARCFACE_TEMPLATE - 56) @ turn.T + 300
    rows, columns = np.mgrid[:600, :600]
    for point, target in zip(landmarks, ARCFACE_TEMPLATE, strict=True):
        spot = np.exp(-((columns - point[0]) ** 2 + (rows - point[1]) ** 2) / (8 * scale**2))
        image = np.repeat((255 * spot).astype(np.uint8)[..., None], 3, axis=2)
        crop = crop_face(image, landmarks)[..., 0].astype(float)
        y, x = np.mgrid[:112, :112]
        centre = [(crop * x).sum() / crop.sum(), (crop * y).sum() / crop.sum()]
        np.testing.assert_allclose(centre, target, atol=0.1)


def test_face_at_the_edge_is_black_beyond_it():
    image = np.full((50, 50, 3), 200, np.uint8)
    crop = crop_face(image, ARCFACE_TEMPLATE - 60)
    assert crop.shape == (112, 112, 3)
    assert (crop[:40, :40] == 0).all()
    assert (crop[80:100, 80:100] == 200).all()
