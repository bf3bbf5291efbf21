"""Import aligned crops in the layout of Aff-Wild2's folder ``cropped_aligned``."""

import io
import logging
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from circumplex.errors import SampleError
from circumplex.faces.similarity import CROP_SIZE
from circumplex.faces.table import face_schema
from circumplex.io.files import why_no_file, why_no_folder
from circumplex.io.parquet import TableWriter, iter_batches

LOG = logging.getLogger(__name__)
NAME = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
MAX_EXTRA_CROPS = 10
"""Images past the last frame that are ignored with a warning: Aff-Wild2's counts differ a bit."""
MOST_BYTES = 4 << 20
"""Size of a crop's file; one of 112x112 pixels has some kilobytes."""
SIGNATURE = b"\xff\xd8"
"""First bytes of a JPEG."""
NAMED_CROPS = 3
ROWS_AT_ONCE = 256


def import_faces(folder: Path, timeline: Path, output: Path, metadata: Mapping[str, Any]) -> None:
    """Write a folder of crops as a table of faces, with the JPEG bytes unchanged.

    ``00001.jpg`` is frame 0. A frame without an image has no valid face, and neither has one whose
    JPEG is cut off or damaged: it is like a frame of a video that fails to decode. Boxes and
    landmarks are unknown and therefore null; the lists of detections are empty.

    Args:
        folder: images of 112x112 pixels, numbered from 1 with any number of digits; files with
            other names are ignored.
        timeline: the sample's table from `circumplex.media.timeline.extract_frames`.
        output: table to write.
        metadata: how the table is made.

    Raises:
        SampleError: the folder is missing or has no image, two images have the same number, one
            is no readable file, no JPEG or not of 112x112 pixels, none decodes, or more than ten
            lie past the last frame.
    """
    images = _list_images(folder)
    frames, whole = 0, 0
    broken: list[str] = []
    with TableWriter(output, face_schema(), metadata) as writer:
        for batch in iter_batches(timeline, ["frame", "time_s"], rows=ROWS_AT_ONCE):
            numbers = batch["frame"].to_pylist()
            paths = [images.pop(k, None) for k in numbers]
            crops = [None if path is None else _read(path) for path in paths]
            broken += [p.name for p, c in zip(paths, crops, strict=True) if p and c is None]
            whole += sum(crop is not None for crop in crops)
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
        if broken and not whole:
            raise SampleError(f"none of the {len(broken)} crops decodes: copy the folder again")
    if broken:
        named = ", ".join(broken[:NAMED_CROPS]) + (", ..." if len(broken) > NAMED_CROPS else "")
        LOG.warning(
            "%d crops are cut off or damaged; their frames take the nearest face: %s",
            *(len(broken), named),
        )
    if images:
        LOG.warning("%d crops past the video's %d frames are ignored", len(images), frames)


def _list_images(folder: Path) -> dict[int, Path]:
    """Paths of the images by frame, from 0."""
    if (problem := why_no_folder(folder)) is not None:
        advice = "" if ":" in problem else ": correct its path"
        raise SampleError(f"the folder of crops {folder} {problem}{advice}")
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


def _read(path: Path) -> bytes | None:
    """Bytes of a crop; None if it is a JPEG that is cut off or damaged.

    Raises:
        SampleError: it is something else, which says that the folder is not that of the crops.
    """
    if (problem := why_no_file(path)) is not None:
        raise SampleError(f"crop {path.name} {problem}")
    if path.stat().st_size > MOST_BYTES:
        raise SampleError(
            f"crop {path.name} has more than {MOST_BYTES >> 20} MB, expected {CROP_SIZE}x"
            f"{CROP_SIZE} pixels: name the folder of aligned crops"
        )
    data = path.read_bytes()
    if data[:2] != SIGNATURE[: len(data)]:  # of a file that was cut to nothing, nothing is left
        raise SampleError(f"crop {path.name} is not a JPEG image: copy the folder again")
    return data if _decodes(path.name, data) else None


def _decodes(name: str, data: bytes) -> bool:
    """Whether a JPEG decodes to its end.

    Raises:
        SampleError: by its header, it has another size.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:  # reads only the header
            size = image.size
            if size == (CROP_SIZE, CROP_SIZE):
                image.load()
    except Image.DecompressionBombError:
        raise SampleError(
            f"crop {name} declares more pixels than any picture has, expected {CROP_SIZE}x"
            f"{CROP_SIZE}: copy it again"
        ) from None
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, struct.error) as error:
        LOG.info("crop %s does not decode: %s", name, error)
        return False
    if size != (CROP_SIZE, CROP_SIZE):
        raise SampleError(
            f"crop {name} is {size[0]}x{size[1]} pixels, expected {CROP_SIZE}x{CROP_SIZE}: "
            "name the folder of aligned crops, not that of raw ones"
        )
    return True
