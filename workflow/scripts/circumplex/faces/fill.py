"""Fill frames without a valid face with the face of the nearest valid frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import TableWriter, describe, frame_schema, read_columns


class NoValid(StrEnum):
    """Handling of a sample with too few valid faces: it fails, or the modality is absent."""

    FAIL = "fail"
    ZEROS = "zeros"


@dataclass(frozen=True)
class Rule:
    """Which samples have faces enough.

    Attributes:
        no_valid: handling of those that have not.
        min_share: least share of frames with a valid face; one frame is needed in any case.
    """

    no_valid: NoValid
    min_share: float = 0.0


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


def fill_frames(faces: Path, output: Path, rule: Rule, metadata: Mapping[str, Any]) -> None:
    """Write ``source_frame`` for each frame: the frame whose face it uses.

    Paper: "A frame without a valid face takes the nearest valid frame".

    Args:
        faces: table of faces, with ``frame``, ``time_s`` and ``valid``.
        output: table to write.
        rule: which samples have faces enough.
        metadata: how the table is made.

    Raises:
        SampleError: too few frames have a valid face, and the rule says `NoValid.FAIL`.
        ModalityAbsent: too few frames have a valid face, and the rule says `NoValid.ZEROS`. Zeros
            that are not marked as absent would become extreme features after standardisation.
    """
    frame, time_s, valid = read_columns(faces, ["frame", "time_s", "valid"])
    count = int(np.count_nonzero(valid))
    if count == 0 or count < rule.min_share * len(valid):
        found = (
            f"a valid face in only {count} of {len(valid)} frames, less than "
            f"faces.min_valid_share, {rule.min_share:g}"
            if count
            else "no frame with a valid face"
        )
        if rule.no_valid is NoValid.ZEROS:
            raise ModalityAbsent(found)
        lower = "faces.min_valid_share, " if count else ""
        raise SampleError(
            f"{found}: look at the video, lower {lower}faces.min_probability or "
            "faces.min_face_size, or set fill.no_valid_face to zeros"
        )
    schema = frame_schema(describe("source_frame", pa.int32(), "frame whose face the frame takes"))
    source = nearest_valid(valid.astype(bool)).astype(np.int32)
    with TableWriter(output, schema, metadata) as writer:
        writer.write(frame=frame, time_s=time_s, source_frame=source)
