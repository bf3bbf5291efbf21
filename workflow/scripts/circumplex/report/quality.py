"""What a person should see of a sample before trusting it: its faces in small, and a few numbers.

One table of one row a sample, so that the tables of a corpus put together are the corpus's table.
It is made from what earlier stages wrote; no video is read again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.io.parquet import TableWriter, iter_batches, to_numpy
from circumplex.media.wave import SAMPLE_RATE, read_blocks

TILES, TILES_A_ROW = 16, 8
TILE, CAPTION, GAP = 96, 16, 4
"""Pixels of a contact sheet: side of a crop, height of the line below, space between."""
SHEET_QUALITY = 80
WINDOW = SAMPLE_RATE // 10
"""Audio samples of a window that is silent or not."""
SILENT_DBFS = -60.0
LARGEST_PX = 4096
"""Faces are counted by their size in pixels; larger ones count as of this size."""
ROWS_AT_ONCE = 256
INK, QUIET, EMPTY = (55, 41, 31), (114, 100, 91), (235, 231, 229)
"""Colours, blue first."""


@dataclass(frozen=True)
class Quality:
    """Numbers of one sample; none where there is nothing to measure.

    Attributes:
        frames: of the timeline.
        duration_s: from the first frame to the end of the last.
        decoded_share: frames that decode; 0 for sound alone.
        valid_share: frames with a valid face of the subject.
        interpolated_share: frames in which nothing was detected, their faces tracked.
        face_px: median side of the subject's face (root of its box's area), whole pixels.
        detections: faces a frame, on average.
        most_detections: in one frame.
        crowded_share: frames with two faces or more.
        switches: times that the subject's face went on in another track.
        sound_s: from time 0 to the end of the sound.
        level_dbfs: root mean square in decibels to full scale; -inf for digital silence.
        silent_share: parts of 0.1 s below -60 dBFS.
    """

    frames: int
    duration_s: float
    decoded_share: float
    valid_share: float | None = None
    interpolated_share: float | None = None
    face_px: int | None = None
    detections: float | None = None
    most_detections: int | None = None
    crowded_share: float | None = None
    switches: int | None = None
    sound_s: float | None = None
    level_dbfs: float | None = None
    silent_share: float | None = None


INTEGERS = {"frames", "face_px", "most_detections", "switches"}
SCHEMA = pa.schema(
    [
        *(
            pa.field(field.name, pa.int32() if field.name in INTEGERS else pa.float64())
            for field in fields(Quality)
        ),
        pa.field("sheet", pa.binary()),
    ]
)
"""`Quality`, and the contact sheet: a JPEG of crops at regular times, null without faces."""


@dataclass(frozen=True)
class Tile:
    """A crop of the contact sheet.

    Attributes:
        frame: number.
        time_s: of the frame.
        crop: encoded image; none where the frame has no valid face.
    """

    frame: int
    time_s: float
    crop: bytes | None


def summarise_quality(
    timeline: Path,
    output: Path,
    metadata: Mapping[str, Any],
    *,
    faces: Path | None,
    sound: Path | None,
) -> None:
    """Write a sample's table of one row: `Quality` and ``sheet``.

    Args:
        timeline: table of `circumplex.media.timeline.extract_frames`.
        output: table to write.
        metadata: how the table is made.
        faces: table of faces, or none without a picture.
        sound: WAV of `circumplex.media.sound.extract_audio`, or none without sound.
    """
    numbers = _of_timeline(timeline)
    sheet = None
    if faces is not None:
        of_faces, tiles = _of_faces(faces, numbers["frames"], numbers["duration_s"])
        numbers |= of_faces
        sheet = draw_sheet(tiles) if tiles else None
    if sound is not None:
        numbers |= _of_sound(sound)
    write_quality(output, Quality(**numbers), sheet, metadata)


def write_quality(
    output: Path, quality: Quality, sheet: bytes | None, metadata: Mapping[str, Any]
) -> None:
    """Write the table of one row."""
    with TableWriter(output, SCHEMA, metadata) as writer:
        row = {field.name: [getattr(quality, field.name)] for field in fields(Quality)}
        writer.write(**row, sheet=[sheet])


def read_quality(path: Path) -> Quality:
    """The numbers of a sample, without the contact sheet."""
    names = [field.name for field in fields(Quality)]
    return Quality(**pq.read_table(path, columns=names).to_pylist()[0])


def read_sheet(path: Path) -> bytes | None:
    """The contact sheet of a sample, JPEG."""
    sheet: bytes | None = pq.read_table(path, columns=["sheet"])["sheet"][0].as_py()
    return sheet


def _of_timeline(timeline: Path) -> dict[str, Any]:
    frames, decoded, last_s = 0, 0, 0.0
    for batch in iter_batches(timeline, ["time_s", "decoded"]):
        frames += batch.num_rows
        decoded += int(to_numpy(batch["decoded"]).sum())
        last_s = float(batch["time_s"][-1].as_py())
    # The last frame is taken to last as long as the others on average, a lone one 1/25 s.
    step_s = last_s / (frames - 1) if frames > 1 else 0.04
    share = decoded / max(frames, 1)
    return {"frames": frames, "duration_s": last_s + step_s, "decoded_share": share}


def _of_faces(faces: Path, frames: int, duration_s: float) -> tuple[dict[str, Any], list[Tile]]:
    count = min(TILES, frames)
    # A little early: a time that is rounded up must not pass the frame that begins then.
    wanted = [duration_s * k / count - 1e-6 for k in range(count)]
    tiles: list[Tile] = []
    valid = interpolated = switches = detections = crowded = most = 0
    sizes = np.zeros(LARGEST_PX + 1, np.int64)
    names = ["frame", "time_s", "valid", "box", "subject_switch", "interpolated", "detections"]
    for batch in iter_batches(faces, [*names, "crop"], rows=ROWS_AT_ONCE):
        valid += int(to_numpy(batch["valid"]).sum())
        interpolated += int(to_numpy(batch["interpolated"]).sum())
        switches += int(to_numpy(batch["subject_switch"]).sum())
        found = to_numpy(pc.list_value_length(batch["detections"]))
        detections += int(found.sum())
        crowded += int((found > 1).sum())
        most = max(most, int(found.max(initial=0)))
        boxes = batch["box"].drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        areas = np.prod((boxes[:, 2:] - boxes[:, :2]).clip(min=0), axis=1, dtype=np.float64)
        pixels = np.sqrt(areas).round().astype(np.int64).clip(max=LARGEST_PX)
        sizes += np.bincount(pixels, minlength=len(sizes))
        times = to_numpy(batch["time_s"])
        while wanted and len(times) and wanted[0] <= times[-1]:
            k = int(np.searchsorted(times, wanted.pop(0)))
            frame = int(batch["frame"][k].as_py())
            if not tiles or tiles[-1].frame != frame:
                tiles.append(Tile(frame, float(times[k]), batch["crop"][k].as_py()))
    share = max(frames, 1)
    numbers = {"valid_share": valid / share, "switches": switches}
    # Crops that were handed out come without boxes and detections.
    if detections or not valid:
        numbers |= {
            "interpolated_share": interpolated / share,
            "detections": detections / share,
            "most_detections": most,
            "crowded_share": crowded / share,
        }
    if total := int(sizes.sum()):
        numbers["face_px"] = int(np.searchsorted(np.cumsum(sizes), (total + 1) // 2))
    return numbers, tiles


def _of_sound(sound: Path) -> dict[str, Any]:
    total, count, windows, silent = 0.0, 0, 0, 0
    for block in read_blocks(sound, 100 * WINDOW):
        padded = np.pad(block.astype(np.float64), (0, -len(block) % WINDOW)).reshape(-1, WINDOW)
        energy = (padded**2).sum(axis=1)
        lengths = np.full(len(energy), WINDOW)
        lengths[-1] = len(block) - WINDOW * (len(energy) - 1)
        total += float(energy.sum())
        count += len(block)
        windows += len(energy)
        silent += int((energy < lengths * 10 ** (SILENT_DBFS / 10)).sum())
    if count == 0:
        return {"sound_s": 0.0}
    level = 10 * math.log10(total / count) if total > 0 else -math.inf
    return {"sound_s": count / SAMPLE_RATE, "level_dbfs": level, "silent_share": silent / windows}


def draw_sheet(tiles: Sequence[Tile]) -> bytes:
    """Contact sheet: crops row by row, each with its frame number and time below; JPEG."""
    rows = -(-len(tiles) // TILES_A_ROW)
    columns = min(len(tiles), TILES_A_ROW)
    step_x, step_y = TILE + GAP, TILE + CAPTION + GAP
    sheet = np.full((rows * step_y - GAP, columns * step_x - GAP, 3), 255, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = k // TILES_A_ROW * step_y, k % TILES_A_ROW * step_x
        sheet[y : y + TILE, x : x + TILE] = _picture(tile.crop)
        _write(sheet, str(tile.frame), (x, y + TILE + CAPTION - 4), INK)
        time = f"{tile.time_s:.1f} s"
        (width, _), _ = cv2.getTextSize(time, cv2.FONT_HERSHEY_SIMPLEX, 0.38, 1)
        _write(sheet, time, (x + TILE - width, y + TILE + CAPTION - 4), QUIET)
    settings = [cv2.IMWRITE_JPEG_QUALITY, SHEET_QUALITY]
    return bytes(cv2.imencode(".jpg", sheet, settings)[1])


def _picture(crop: bytes | None) -> NDArray[np.uint8]:
    image = None
    if crop:
        image = cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR)
    if image is not None:
        resized = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)
        return np.asarray(resized, np.uint8)
    empty = np.full((TILE, TILE, 3), EMPTY, np.uint8)
    _write(empty, "no face" if crop is None else "unreadable", (14, TILE // 2), QUIET)
    return empty


def _write(
    image: NDArray[np.uint8], text: str, place: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
