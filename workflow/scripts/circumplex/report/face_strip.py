"""A row of face crops over time, cut from a contact sheet."""

import cv2
import numpy as np

from circumplex.report.quality import CAPTION, GAP, TILE, TILES, TILES_PER_ROW

SIDE = 52
"""Side of a crop in the row, in pixels."""
STRIP_QUALITY = 72


def cut_strip(sheet: bytes, frames: int) -> bytes | None:
    """Cut the crops of a contact sheet and set them side by side, without their captions.

    Args:
        sheet: contact sheet as JPEG; see `circumplex.report.quality.draw_sheet`.
        frames: number of frames of the sample, which has at most as many crops.

    Returns:
        JPEG of `SIDE` pixels in height; crop k of n shows the time k / n of the sample. None for a
        sheet that cannot be read.
    """
    image = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    crops = []
    for k in range(min(TILES, frames)):
        y = k // TILES_PER_ROW * (TILE + CAPTION + GAP)
        x = k % TILES_PER_ROW * (TILE + GAP)
        crop = image[y : y + TILE, x : x + TILE]
        if crop.shape[:2] == (TILE, TILE):
            crops.append(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    if not crops:
        return None
    settings = [cv2.IMWRITE_JPEG_QUALITY, STRIP_QUALITY]
    return bytes(cv2.imencode(".jpg", np.hstack(crops), settings)[1])
