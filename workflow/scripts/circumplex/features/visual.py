"""Extract visual features: from face crops to one row per frame (section 3.2.1)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.features.batches import BatchExtractor
from circumplex.io.parquet import (
    TableWriter,
    describe,
    frame_schema,
    iter_batches,
    to_numpy,
    vector_field,
)

CROP_SIZE = 112  # side of a face crop, in pixels
CROPS_AT_ONCE = 64
FRAMES_AT_ONCE = 128
Prepare = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@runtime_checkable
class FrameExtractor(BatchExtractor, Protocol):
    """Extractor that embeds face crops."""

    def prepare(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB crop (112, 112, 3) as one of the inputs; runs in the reading thread."""
        ...


def decode_crop(encoded: bytes, frame: int) -> NDArray[np.uint8]:
    """An encoded image as RGB (112, 112, 3).

    Raises:
        SampleError: it is not an image, or has another size.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
    if image is None:
        raise SampleError(
            f"the face crop of frame {frame} is not a readable image: create the crops again"
        )
    if image.shape != (CROP_SIZE, CROP_SIZE, 3):
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise SampleError(
            f"the face crop of frame {frame} is {size} pixels, expected {CROP_SIZE}x{CROP_SIZE}"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class CropReader:
    """Reads crops of increasing frames in one pass over the table of faces."""

    def __init__(self, faces: Path) -> None:
        self._crops = self._iterate(faces)

    @staticmethod
    def _iterate(faces: Path) -> Iterator[tuple[int, pa.Scalar]]:
        for rows in iter_batches(faces, ["frame", "crop"], rows=CROPS_AT_ONCE):
            yield from zip(rows["frame"].to_pylist(), rows["crop"], strict=True)

    def read(self, wanted: int) -> NDArray[np.uint8]:
        """RGB crop (112, 112, 3) of a frame after all those read before.

        Raises:
            SampleError: the crop is unusable.
            ValueError: the table has no crop for the frame: it is not the one that was filled.
        """
        for frame, crop in self._crops:
            if frame == wanted and crop.is_valid:
                return decode_crop(crop.as_py(), frame)
            if frame >= wanted:
                break
        raise ValueError(f"the faces have no crop for frame {wanted}, which the fill refers to")


def read_frames(
    faces: Path, fill: Path, prepare: Prepare
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.uint8]]]:
    """Yield pieces of ``fill``, each with the prepared crops of its new source frames.

    Each source frame is read once, however many frames use its face.

    Args:
        faces: table with ``frame`` and ``crop`` (encoded image, null without a face).
        fill: table with ``frame``, ``time_s`` and ``source_frame``, which never decreases.
        prepare: brings a crop to the network's size.

    Raises:
        SampleError: a crop is unusable; the message names its frame.
        ValueError: the fill is not of these faces.
    """
    crops = CropReader(faces)
    last_source = -1
    for rows in iter_batches(fill, ["frame", "time_s", "source_frame"], rows=FRAMES_AT_ONCE):
        sources = to_numpy(rows["source_frame"])
        if np.any(np.diff(sources, prepend=max(last_source, 0)) < 0):
            raise ValueError(f"{fill.name}: source_frame decreases or is negative")
        unique = np.unique(sources)
        images = [prepare(crops.read(frame)) for frame in unique[unique > last_source].tolist()]
        yield rows, np.stack(images) if images else np.empty(0, np.uint8)
        last_source = int(unique[-1])


def write_frames(
    output: Path,
    name: str,
    dimension: int,
    pieces: Iterable[tuple[pa.RecordBatch, NDArray[np.float32]]],
    metadata: Mapping[str, Any],
) -> None:
    """Write ``frame, time_s, source_frame`` and the feature, one row per frame of the fill.

    Args:
        output: table to write.
        name: name of the feature.
        dimension: values per frame.
        pieces: pieces from `read_frames`, each with the features of its new source frames.
        metadata: how the table is made.
    """
    source_field = describe("source_frame", pa.int32(), "frame whose face the values are of")
    schema = frame_schema(source_field, vector_field(name, dimension))
    last_value = np.empty((0, dimension), np.float32)
    with TableWriter(output, schema, metadata) as table:
        for rows, fresh in pieces:
            sources = to_numpy(rows["source_frame"])
            unique, positions = np.unique(sources, return_inverse=True)
            values = fresh if len(fresh) == len(unique) else np.concatenate([last_value, fresh])
            table.write(
                frame=rows["frame"],
                time_s=rows["time_s"],
                source_frame=sources,
                **{name: values[positions]},
            )
            last_value = values[-1:]
