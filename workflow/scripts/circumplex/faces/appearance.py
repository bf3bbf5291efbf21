"""Appearance vectors that distinguish the people of a video without a pretrained network.

A vector has three parts of equal weight: edge directions in the aligned face, brightness around
the face, and colours around it (hair, clothes, background). None of them changes with the overall
brightness of the picture. The method is our choice; the paper does not describe one.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

FACE_PIXELS = 56
CELL_PIXELS = 7
DIRECTIONS = 8
CONTEXT_PIXELS = 32
CONTEXT_SCALE = 2.5
"""Side of the square around a face, relative to the side of its box."""
LAYOUT_PIXELS = 16
COLOUR_LEVELS = 4
BRIGHTEST = 2.0
"""Colours are measured relative to the mean brightness and clipped to this value."""


def describe_face(
    image: NDArray[np.uint8], crop: NDArray[np.uint8], box: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Compute the appearance of a face; the dot product of two vectors is their likeness.

    Args:
        image: (height, width, 3) RGB picture.
        crop: (112, 112, 3) aligned RGB crop of the face.
        box: (4,) x0, y0, x1, y1 in pixels.

    Returns:
        Vector (832,) of unit length.
    """
    context = _crop_context(image, box)
    parts = [_describe_edges(crop), _describe_layout(context), _describe_colours(context)]
    return np.concatenate(parts).astype(np.float32) / np.float32(np.sqrt(len(parts)))


def _describe_edges(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of gradient directions per cell, less the mean over cells.

    Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
    """
    small = cv2.resize(crop, (FACE_PIXELS, FACE_PIXELS), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    direction = (angle * (DIRECTIONS / (2 * np.pi))).astype(int) % DIRECTIONS
    cells = FACE_PIXELS // CELL_PIXELS
    row = np.arange(FACE_PIXELS) // CELL_PIXELS
    codes = (row[:, None] * cells + row) * DIRECTIONS + direction
    counts = np.bincount(codes.ravel(), strength.ravel(), cells * cells * DIRECTIONS)
    histograms = counts.reshape(-1, DIRECTIONS)
    norms = np.linalg.norm(histograms, axis=1, keepdims=True)
    histograms = histograms / np.maximum(norms + norms.mean() / 4, 1e-6)
    return _normalise(histograms - histograms.mean(axis=0))


def _crop_context(image: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.float32]:
    """A square around the face, (32, 32, 3); outside the picture its edge is repeated."""
    extent = (box[2:] - box[:2]).clip(min=1)
    centre, side = (box[:2] + box[2:]) / 2, CONTEXT_SCALE * float(np.sqrt(extent.prod()))
    height, width = image.shape[:2]
    steps = (np.arange(CONTEXT_PIXELS) + 0.5) / CONTEXT_PIXELS - 0.5
    columns = (centre[0] + side * steps).astype(int).clip(0, width - 1)
    rows = (centre[1] + side * steps).astype(int).clip(0, height - 1)
    return image[np.ix_(rows, columns)].astype(np.float32)


def _describe_layout(context: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (LAYOUT_PIXELS, LAYOUT_PIXELS)
    small = cv2.resize(context.mean(axis=2), size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1)
    return _normalise(smooth - smooth.mean())


def _describe_colours(context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square root of the colour histogram: dot products are Bhattacharyya coefficients."""
    relative = context.reshape(-1, 3) / max(float(context.mean()), 1.0)
    levels = (relative * (COLOUR_LEVELS / BRIGHTEST)).astype(int).clip(max=COLOUR_LEVELS - 1)
    codes = levels @ (COLOUR_LEVELS ** np.arange(3))
    return _normalise(np.sqrt(np.bincount(codes, minlength=COLOUR_LEVELS**3)))


def _normalise(values: NDArray[np.floating]) -> NDArray[np.float32]:
    flat = values.astype(np.float32).ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)
