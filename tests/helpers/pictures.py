"""Pictures of a video, as tests look at them."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from circumplex.media.video import VideoFrame, iter_timeline


def iter_frames(video: Path) -> Iterator[VideoFrame]:
    """Every decodable frame of the video in order, numbered as in the timeline."""
    return (item for item in iter_timeline(video) if isinstance(item, VideoFrame))


def draw_face(smile: float) -> NDArray[np.uint8]:
    """A face of a few strokes, RGB (112, 112, 3); `smile` bends the mouth, from -1 to 1."""
    image = np.full((112, 112, 3), 70, np.uint8)
    cv2.ellipse(image, (56, 58), (40, 52), 0, 0, 360, (205, 170, 150), -1)
    for x in (40, 72):
        cv2.ellipse(image, (x, 46), (8, 5), 0, 0, 360, (245, 245, 245), -1)
        cv2.circle(image, (x, 46), 3, (40, 30, 30), -1)
        cv2.line(image, (x - 9, 35), (x + 9, 34), (70, 45, 35), 2)
    mouth = np.array([[x, 84 - smile * 10 * ((x - 56) / 18) ** 2] for x in range(38, 75, 2)])
    cv2.polylines(image, [mouth.round().astype(np.int32)], False, (150, 40, 50), 4)
    return cv2.GaussianBlur(image, (3, 3), 0)
