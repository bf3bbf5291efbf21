"""Fill frames without a valid face with the face of the nearest valid frame."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import TableWriter, frame_schema, read_columns


class NoValid(StrEnum):
    """Handling of a sample without any valid face: it fails, or the modality is absent."""

    FAIL = "fail"
    ZEROS = "zeros"


def nearest_valid(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the nearest valid frame of each frame; on a tie, the earlier one.

    Args:
        valid: (frames,) whether the frame has a valid face; at least one frame has.

    Returns:
        Non-decreasing indices, (frames,).
    """
    sources = np.flatnonzero(valid)
    frames = np.arange(len(valid))
    after = np.searchsorted(sources, frames).clip(max=len(sources) - 1)
    before = (after - 1).clip(min=0)
    earlier_is_near = frames - sources[before] <= np.abs(sources[after] - frames)
    exact = sources[after] == frames
    nearest = np.where(earlier_is_near & ~exact, sources[before], sources[after])
    return np.asarray(nearest, np.int64)


def fill_frames(
    faces: Path, output: Path, *, no_valid: NoValid, metadata: Mapping[str, Any]
) -> None:
    """Write ``source_frame`` for each frame: the frame whose face it uses.

    Paper: "A frame without a valid face takes the nearest valid frame".

    Args:
        faces: table of faces, with ``frame``, ``time_s`` and ``valid``.
        output: table to write.
        no_valid: handling of a sample without any valid face.
        metadata: how the table is made.

    Raises:
        SampleError: no frame has a valid face, and ``no_valid`` is `NoValid.FAIL`.
        ModalityAbsent: no frame has a valid face, and ``no_valid`` is `NoValid.ZEROS`. Zeros that
            are not marked as absent would become extreme features after standardisation.
    """
    frame, time_s, valid = read_columns(faces, ["frame", "time_s", "valid"])
    if not valid.any():
        if no_valid is NoValid.ZEROS:
            raise ModalityAbsent("no frame with a valid face")
        raise SampleError(
            "no frame with a valid face: look at the video, lower faces.min_probability or "
            "faces.min_face_size, or set fill.no_valid_face to zeros"
        )
    schema = frame_schema(pa.field("source_frame", pa.int32(), nullable=False))
    source = nearest_valid(valid.astype(bool)).astype(np.int32)
    with TableWriter(output, schema, metadata) as writer:
        writer.write(frame=frame, time_s=time_s, source_frame=source)
