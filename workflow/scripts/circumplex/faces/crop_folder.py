"""Import aligned crops in the layout of Aff-Wild2's folder ``cropped_aligned``."""

import io
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from circumplex.errors import SampleError
from circumplex.faces.similarity import CROP_SIZE
from circumplex.faces.table import face_schema
from circumplex.io.parquet import TableWriter, iter_batches

LOG = logging.getLogger(__name__)
NAME = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
MAX_EXTRA_CROPS = 10
"""Images past the last frame that are ignored with a warning: Aff-Wild2's counts differ a bit."""
ROWS_AT_ONCE = 256


def import_faces(folder: Path, timeline: Path, output: Path, metadata: Mapping[str, Any]) -> None:
    """Write a folder of crops as a table of faces, with the JPEG bytes unchanged.

    ``00001.jpg`` is frame 0. A frame without an image has no valid face. Boxes and landmarks are
    unknown and therefore null; the lists of detections are empty.

    Args:
        folder: images of 112x112 pixels, numbered from 1 with any number of digits; files with
            other names are ignored.
        timeline: the sample's table from `circumplex.media.timeline.extract_frames`.
        output: table to write.
        metadata: how the table is made.

    Raises:
        SampleError: the folder is missing or has no image, two images have the same number, an
            image is not a JPEG of 112x112 pixels, or more than ten images lie past the last frame.
    """
    images = _list_images(folder)
    frames = 0
    with TableWriter(output, face_schema(), metadata) as writer:
        for batch in iter_batches(timeline, ["frame", "time_s"], rows=ROWS_AT_ONCE):
            numbers = batch["frame"].to_pylist()
            crops = [_read(images.pop(k)) if k in images else None for k in numbers]
            count = len(numbers)
            frames += count
            writer.write(
                frame=numbers,
                time_s=batch["time_s"].to_pylist(),
                valid=[crop is not None for crop in crops],
                probability=[None] * count,
                box=[None] * count,
                landmarks=[None] * count,
                subject_switch=[False] * count,
                interpolated=[False] * count,
                detections=[[]] * count,
                crop=crops,
            )
        if len(images) > MAX_EXTRA_CROPS:
            raise SampleError(
                f"{len(images)} crops are numbered past the video's {frames} frames (highest: "
                f"{max(images) + 1}): are they this video's crops?"
            )
    if images:
        LOG.warning("%d crops past the video's %d frames are ignored", len(images), frames)


def _list_images(folder: Path) -> dict[int, Path]:
    """Paths of the images by frame, from 0."""
    if not folder.is_dir():
        raise SampleError(f"the folder of crops {folder} is missing: correct its path")
    images: dict[int, Path] = {}
    for path in folder.iterdir():
        if match := NAME.fullmatch(path.name):
            frame = int(match[1]) - 1
            if frame < 0:
                raise SampleError(f"{path.name}: crops are numbered from 1, as in 00001.jpg")
            if frame in images:
                raise SampleError(
                    f"{images[frame].name} and {path.name} are the same frame: remove one of them"
                )
            images[frame] = path
    if not images:
        raise SampleError(f"the folder of crops {folder} holds no image like 00001.jpg")
    return images


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:  # reads only the header
            size = image.size
    except UnidentifiedImageError as error:
        raise SampleError(f"crop {path.name} is not a JPEG image: copy the folder again") from error
    if size != (CROP_SIZE, CROP_SIZE):
        raise SampleError(
            f"crop {path.name} is {size[0]}x{size[1]} pixels, expected {CROP_SIZE}x{CROP_SIZE}: "
            "name the folder of aligned crops, not that of raw ones"
        )
    return data
