"""How a face looks: a vector that tells people of one video apart, without a network to fetch.

Three thirds, none of which changes when the light grows or fades as a whole: the directions of the
edges in the aligned face, the light and dark around it, and the colours around it (hair, clothes,
background).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

FACE_PIXELS = 56
CELL_PIXELS = 7
DIRECTIONS = 8
CONTEXT_PIXELS = 32
CONTEXT_SCALE = 2.5
"""Side of the square around a face, in sides of its box."""
LAYOUT_PIXELS = 16
COLOUR_LEVELS = 4
BRIGHTEST = 2.0
"""A colour is counted in parts of the mean brightness; brighter counts as this."""


def look(
    image: NDArray[np.uint8], crop: NDArray[np.uint8], box: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Appearance of a face as a vector of unit length; the dot product of two is their likeness.

    Args:
        image: (height, width, 3) picture.
        crop: aligned crop of the face.
        box: x0, y0, x1, y1 in pixels.
    """
    context = _context(image, box)
    parts = [_edges(crop), _layout(context), _colours(context)]
    return np.concatenate(parts).astype(np.float32) / np.float32(np.sqrt(len(parts)))


def _edges(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of the gradient's direction, a cell each (Dalal and Triggs, 2005); what all cells
    share is taken off."""
    small = cv2.resize(crop, (FACE_PIXELS, FACE_PIXELS), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    direction = (angle * (DIRECTIONS / (2 * np.pi))).astype(int) % DIRECTIONS
    cells = FACE_PIXELS // CELL_PIXELS
    row = np.arange(FACE_PIXELS) // CELL_PIXELS
    codes = (row[:, None] * cells + row) * DIRECTIONS + direction
    counted = np.bincount(codes.ravel(), strength.ravel(), cells * cells * DIRECTIONS)
    histograms = counted.reshape(-1, DIRECTIONS)
    norms = np.linalg.norm(histograms, axis=1, keepdims=True)
    histograms = histograms / np.maximum(norms + norms.mean() / 4, 1e-6)
    return _unit(histograms - histograms.mean(axis=0))


def _context(image: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.float32]:
    """A square around the face in small; what lies outside the picture is its edge."""
    extent = (box[2:] - box[:2]).clip(min=1)
    centre, side = (box[:2] + box[2:]) / 2, CONTEXT_SCALE * float(np.sqrt(extent.prod()))
    height, width = image.shape[:2]
    steps = (np.arange(CONTEXT_PIXELS) + 0.5) / CONTEXT_PIXELS - 0.5
    columns = (centre[0] + side * steps).astype(int).clip(0, width - 1)
    rows = (centre[1] + side * steps).astype(int).clip(0, height - 1)
    return image[np.ix_(rows, columns)].astype(np.float32)


def _layout(context: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (LAYOUT_PIXELS, LAYOUT_PIXELS)
    small = cv2.resize(context.mean(axis=2), size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1)
    return _unit(smooth - smooth.mean())


def _colours(context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root of the histogram of colours: the dot product of two is Bhattacharyya's coefficient."""
    relative = context.reshape(-1, 3) / max(float(context.mean()), 1.0)
    levels = (relative * (COLOUR_LEVELS / BRIGHTEST)).astype(int).clip(max=COLOUR_LEVELS - 1)
    codes = levels @ (COLOUR_LEVELS ** np.arange(3))
    return _unit(np.sqrt(np.bincount(codes, minlength=COLOUR_LEVELS**3)))


def _unit(values: NDArray[np.floating]) -> NDArray[np.float32]:
    flat = values.astype(np.float32).ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)
