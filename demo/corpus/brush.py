"""Soft-edged painting on a float32 RGB canvas, in coordinates with sub-pixel precision."""

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]
Points = NDArray[np.float64]
Colour = tuple[float, float, float] | NDArray[np.float64]

SHIFT = 5  # bits of the fraction in OpenCV's fixed-point coordinates


def mask_of(
    shape: tuple[int, ...], polygon: Points, blur: float, thickness: float | None = None
) -> tuple[slice, slice, Canvas]:
    """Coverage in [0, 1] of a polygon (or of the line along it), and the window that it fills."""
    margin = 3.0 * blur + 2.0 + (thickness or 0.0)
    low = np.floor(polygon.min(axis=0) - margin).astype(int)
    high = np.ceil(polygon.max(axis=0) + margin).astype(int) + 1
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, (shape[1], shape[0]))
    x1, y1 = max(x0, x1), max(y0, y1)
    window = np.zeros((y1 - y0, x1 - x0), np.uint8)
    if window.size:
        fixed = np.round((polygon - (x0, y0)) * (1 << SHIFT)).astype(np.int32)
        if thickness is None:
            cv2.fillPoly(window, [fixed], 255, cv2.LINE_AA, SHIFT)
        else:
            width = max(1, round(thickness))
            cv2.polylines(window, [fixed], False, 255, width, cv2.LINE_AA, SHIFT)
    mask = window.astype(np.float32) * np.float32(1 / 255)
    if blur > 0 and mask.size:
        mask = cv2.GaussianBlur(mask, (0, 0), blur)
    return slice(y0, y1), slice(x0, x1), mask


def paint(
    canvas: Canvas,
    polygon: Points,
    colour: Colour,
    alpha: float = 1.0,
    blur: float = 0.0,
    thickness: float | None = None,
    within: Points | None = None,
) -> None:
    """Blend a colour into the canvas over a polygon, or along a line if a thickness is given.

    ``within``: another polygon beyond which nothing is painted.
    """
    rows, columns, mask = mask_of(canvas.shape, polygon, blur, thickness)
    if not mask.size or alpha <= 0:
        return
    if within is not None:
        clip = np.zeros(mask.shape, np.uint8)
        fixed = np.round((within - (columns.start, rows.start)) * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(clip, [fixed], 255, cv2.LINE_AA, SHIFT)
        mask = mask * (clip.astype(np.float32) * np.float32(1 / 255))
    window = canvas[rows, columns]
    weight = (mask * np.float32(alpha))[..., None]
    window += weight * (np.asarray(colour, np.float32) - window)


def ellipse(
    x: float, y: float, rx: float, ry: float, turn: float = 0.0, points: int = 28
) -> Points:
    """Outline of an ellipse; ``turn`` in radians."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    u, v = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack(
        [x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn)], axis=1
    )


def cloud(rng: np.random.Generator, shape: tuple[int, int], grain: tuple[float, float]) -> Canvas:
    """Smooth noise of deviation 1; ``grain`` is its size in pixels, horizontal and vertical."""
    noise = rng.standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=grain[0], sigmaY=grain[1])
    return np.asarray(noise / noise.std(), np.float32)
