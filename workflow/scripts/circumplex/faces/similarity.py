"""Align a face by a similarity transform of five landmarks, as ArcFace networks expect it."""

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 112
ARCFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Left eye, right eye, nose, left and right corner of the mouth, as seen in the picture: x and y
in pixels of a 112x112 crop (Deng et al., "ArcFace", reference implementation)."""
ARCFACE_TEMPLATE.setflags(write=False)


def similarity(
    landmarks: NDArray[np.floating], template: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Fit the similarity (rotation, scale, shift; no mirroring) from landmarks to the template.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    eq. 40-42, by least squares.

    Args:
        landmarks: (points, 2) x and y in pixels.
        template: (points, 2) target positions in pixels.

    Returns:
        Matrix M (2, 3) with ``template ~ M[:, :2] @ landmark + M[:, 2]``.

    Raises:
        ValueError: all landmarks are the same point.
    """
    source = np.asarray(landmarks, np.float64)
    target = np.asarray(template, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source, target = source - source_mean, target - target_mean
    spread = (source**2).sum()
    if spread == 0:
        raise ValueError("all landmarks are the same point")
    u, singular, vt = np.linalg.svd(target.T @ source)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    linear = (u * signs) @ vt * (singular @ signs / spread)
    return np.column_stack([linear, target_mean - linear @ source_mean])


def crop_face(
    image: NDArray[np.uint8], landmarks: NDArray[np.floating], size: int = CROP_SIZE
) -> NDArray[np.uint8]:
    """Cut an aligned crop (size, size, 3) from a (height, width, 3) picture, black beyond it."""
    points = np.asarray(landmarks, np.float64).reshape(5, 2)
    matrix = similarity(points, ARCFACE_TEMPLATE * (size / CROP_SIZE))
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
