"""From a table of face crops to a table of features, one row a frame (section 3.2.1)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.table import TableWriter, frame_schema, iter_batches, to_numpy, vector_field

CROP_SIZE = 112  # side of a face crop, in pixels
NO_FACE = -1  # source frame of a video in which no face was found, to be filled with zeros
CROPS_AT_ONCE = 64


class FrameExtractor(Protocol):
    """Embeds face crops, one by one.

    Attributes:
        name: of the feature, and of its column.
        dimension: values a frame.
    """

    name: str
    dimension: int

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB crops (batch, 112, 112, 3) to features (batch, dimension)."""
        ...


def decode_crop(encoded: bytes, frame: int) -> NDArray[np.uint8]:
    """An encoded image as RGB (112, 112, 3).

    Raises:
        SampleError: it is no image, or of another size.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
    if image is None:
        raise SampleError(f"the face crop of frame {frame} is no readable image: make it again")
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


def embed_frames(
    frames: Sequence[int], crops: CropReader, extractor: FrameExtractor, batch_size: int
) -> NDArray[np.float32]:
    """Features (frames, dimension), always computed in batches of exactly ``batch_size``."""
    values = np.empty((len(frames), extractor.dimension), np.float32)
    for start in range(0, len(frames), batch_size):
        images = [crops.read(frame) for frame in frames[start : start + batch_size]]
        padding = [images[-1]] * (batch_size - len(images))
        embedded = extractor.embed(np.stack(images + padding))
        values[start : start + len(images)] = embedded[: len(images)]
    return values


def extract_visual(
    faces: Path,
    fill: Path,
    output: Path,
    extractor: FrameExtractor,
    batch_size: int,
    metadata: Mapping[str, Any],
) -> None:
    """Write ``frame, time_s, source_frame`` and the feature, one row a frame of ``fill``.

    Each source frame is computed once, however many frames it stands in for, in a batch of fixed
    shape: a frame's feature has the same bits alone and in any batch. Memory does not grow with
    the video.

    Args:
        faces: table with ``frame`` and ``crop`` (encoded image, null without a face).
        fill: table with ``frame``, ``time_s`` and ``source_frame``, which never decreases; -1
            gives zeros.
        output: the table to write.
        extractor: the feature.
        batch_size: crops a batch.
        metadata: how the table is made.

    Raises:
        SampleError: a crop is unusable; the message names its frame.
    """
    crops = CropReader(faces)
    source_field = pa.field("source_frame", pa.int32(), nullable=False)
    schema = frame_schema(source_field, vector_field(extractor.name, extractor.dimension))
    last_source, last_value = NO_FACE, np.zeros(extractor.dimension, np.float32)
    with TableWriter(output, schema, metadata) as table:
        for rows in iter_batches(fill, ["frame", "time_s", "source_frame"]):
            sources = to_numpy(rows["source_frame"])
            if np.any(np.diff(sources, prepend=last_source) < 0):
                raise ValueError(f"{fill.name}: source_frame decreases")
            unique, positions = np.unique(sources, return_inverse=True)
            fresh = unique[unique > last_source]
            values = embed_frames(fresh.tolist(), crops, extractor, batch_size)
            if len(fresh) < len(unique):
                values = np.concatenate([last_value[None], values])
            table.write(
                frame=rows["frame"],
                time_s=rows["time_s"],
                source_frame=sources,
                **{extractor.name: values[positions]},
            )
            last_source, last_value = int(unique[-1]), values[-1]
