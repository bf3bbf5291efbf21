"""Summarise the quality of a sample: a contact sheet of face crops and a few statistics.

There is one table of one row per sample. It is made from the results of earlier stages; no video
is read again.
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

from circumplex.io.parquet import TableWriter, describe_all, iter_batches, read_metadata, to_numpy
from circumplex.media.resampling import count_video_frames
from circumplex.media.streams import StreamFacts, missing_s
from circumplex.media.wave import SAMPLE_RATE, read_blocks, read_facts

TILES, TILES_PER_ROW = 16, 8
TILE, CAPTION, GAP = 96, 16, 4
"""Sizes in a contact sheet, in pixels: side of a crop, height of its caption, gap between tiles."""
SHEET_QUALITY = 80
WINDOW = SAMPLE_RATE // 10
"""Length of the windows that are silent or not, in audio samples: 0.1 s."""
SILENT_DBFS = -60.0
LARGEST_PX = 4096
"""Largest face size that is counted, in pixels; larger faces count as this size."""
ROWS_AT_ONCE = 256
INK, QUIET, EMPTY = (55, 41, 31), (114, 100, 91), (235, 231, 229)
"""Colours in the order blue, green, red."""


@dataclass(frozen=True)
class Quality:
    """Statistics of a sample; None where there is nothing to measure. Shares lie in [0, 1].

    Attributes:
        frames: number of frames in the timeline.
        duration_s: seconds from the first frame to the end of the last.
        decoded_share: share of the frames that decode; 0 with sound only.
        valid_share: share of the frames with a valid face of the subject.
        interpolated_share: share of the frames whose faces were interpolated.
        face_px: median side of the subject's face (root of its box's area), in whole pixels.
        detections: mean number of faces per frame.
        most_detections: largest number of faces in one frame.
        crowded_share: share of the frames with two or more faces.
        switches: number of changes of the subject's face to another track.
        sound_s: seconds from time 0 to the end of the sound.
        level_dbfs: root mean square in dB relative to full scale; -inf for digital silence.
        silent_share: share of the 0.1 s windows below -60 dBFS.
        onset_s: seconds before the first window that is not silent.
        inner_silent_share: share of the silent windows between the first and the last that are not.
        video_stream: place of the picture among the file's video streams, from 0.
        video_streams: number of the file's video streams.
        sound_stream: place of the sound among its file's audio streams, from 0.
        sound_streams: number of its file's audio streams.
        missing_s: seconds of picture that the file announces and does not hold.
        sound_missing_s: seconds of sound that its file announces and does not hold.
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
    onset_s: float | None = None
    inner_silent_share: float | None = None
    video_stream: int | None = None
    video_streams: int | None = None
    sound_stream: int | None = None
    sound_streams: int | None = None
    missing_s: float | None = None
    sound_missing_s: float | None = None


STREAMS = {"video_stream", "video_streams", "sound_stream", "sound_streams"}
INTEGERS = {"frames", "face_px", "most_detections", "switches"} | STREAMS
DESCRIPTIONS: Mapping[str, str] = {
    "frames": "number of frames in the timeline",
    "duration_s": "seconds from the first frame to the end of the last",
    "decoded_share": "share of the frames that decode; 0 with sound only",
    "valid_share": "share of the frames with a valid face of the subject",
    "interpolated_share": "share of the frames whose faces were interpolated",
    "face_px": "median side of the subject's face in pixels",
    "detections": "mean number of faces per frame",
    "most_detections": "largest number of faces in one frame",
    "crowded_share": "share of the frames with two or more faces",
    "switches": "number of changes of the subject's face to another track",
    "sound_s": "seconds from time 0 to the end of the sound",
    "level_dbfs": "root mean square of the sound in dB relative to full scale",
    "silent_share": "share of the 0.1 s windows of sound below -60 dBFS",
    "onset_s": "seconds of sound before the first such window that is louder",
    "inner_silent_share": "share of the silent windows between the first and last louder ones",
    "video_stream": "place of the picture among the file's video streams, from 0",
    "video_streams": "number of the file's video streams",
    "sound_stream": "place of the sound among its file's audio streams, from 0",
    "sound_streams": "number of its file's audio streams",
    "missing_s": "seconds of picture that the file announces and does not hold",
    "sound_missing_s": "seconds of sound that its file announces and does not hold",
    "sheet": "contact sheet: a JPEG of crops at regular times, null without faces",
}
"""What the columns of the table hold."""
SCHEMA = describe_all(
    pa.schema(
        [
            *(
                pa.field(field.name, pa.int32() if field.name in INTEGERS else pa.float64())
                for field in fields(Quality)
            ),
            pa.field("sheet", pa.binary()),
        ]
    ),
    DESCRIPTIONS,
)
"""`Quality` and the contact sheet: a JPEG of crops at regular times, null without faces."""


@dataclass(frozen=True)
class Tile:
    """A crop of the contact sheet.

    Attributes:
        frame: number of the frame.
        time_s: time of the frame in seconds.
        crop: encoded image; None if the frame has no valid face.
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
        faces: table of faces; None without a video stream.
        sound: WAV file of `circumplex.media.sound.extract_audio`; None without sound.
    """
    numbers = _measure_timeline(timeline)
    sheet = None
    if faces is not None:
        of_faces, tiles = _measure_faces(faces, numbers["frames"], numbers["duration_s"])
        numbers |= of_faces
        sheet = draw_sheet(tiles) if tiles else None
    if sound is not None:
        numbers |= _measure_sound(sound)
    numbers |= _measure_file(timeline, numbers)
    write_quality(output, Quality(**numbers), sheet, metadata)


def write_quality(
    output: Path, quality: Quality, sheet: bytes | None, metadata: Mapping[str, Any]
) -> None:
    """Write the table of one row."""
    with TableWriter(output, SCHEMA, metadata) as writer:
        row = {field.name: [getattr(quality, field.name)] for field in fields(Quality)}
        writer.write(**row, sheet=[sheet])


def read_quality(path: Path) -> Quality:
    """Read the statistics of a sample, without the contact sheet."""
    names = [field.name for field in fields(Quality)]
    return Quality(**pq.read_table(path, columns=names).to_pylist()[0])


def read_sheet(path: Path) -> bytes | None:
    """Read the contact sheet of a sample as JPEG; None if there is none."""
    sheet: bytes | None = pq.read_table(path, columns=["sheet"])["sheet"][0].as_py()
    return sheet


def _measure_timeline(timeline: Path) -> dict[str, Any]:
    frames, decoded, last_s = 0, 0, 0.0
    for batch in iter_batches(timeline, ["time_s", "decoded"]):
        frames += batch.num_rows
        decoded += int(to_numpy(batch["decoded"]).sum())
        last_s = float(batch["time_s"][-1].as_py())
    # The last frame lasts as long as the others on average; a single frame lasts 1/25 s.
    step_s = last_s / (frames - 1) if frames > 1 else 0.04
    duration_s, share = last_s + step_s, decoded / max(frames, 1)
    numbers = {"frames": frames, "duration_s": duration_s, "decoded_share": share}
    if taken := read_metadata(timeline).get("video", {}).get("taken"):
        facts = StreamFacts(**taken)
        numbers |= {"video_stream": facts.number, "video_streams": facts.of}
        numbers["missing_s"] = missing_s(facts, duration_s, count_video_frames(timeline))
    return numbers


def _measure_faces(
    faces: Path, frames: int, duration_s: float
) -> tuple[dict[str, Any], list[Tile]]:
    count = min(TILES, frames)
    # Slightly early, since a time that was rounded up could lie after the frame that starts there.
    wanted = [duration_s * k / count - 1e-6 for k in range(count)]
    tiles: list[Tile] = []
    valid = interpolated = switches = detections = crowded = most = 0
    sizes = np.zeros(LARGEST_PX + 1, np.int64)
    names = ["frame", "time_s", "valid", "box", "subject_switch", "interpolated", "detections"]
    for batch in iter_batches(faces, [*names, "crop"], rows=ROWS_AT_ONCE):
        valid += int(to_numpy(batch["valid"]).sum())
        interpolated += int(to_numpy(batch["interpolated"]).sum())
        switches += int(to_numpy(batch["subject_switch"]).sum())
        counts = to_numpy(pc.list_value_length(batch["detections"]))
        detections += int(counts.sum())
        crowded += int((counts > 1).sum())
        most = max(most, int(counts.max(initial=0)))
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
    # Imported crops have no boxes and no detections.
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


def _measure_sound(sound: Path) -> dict[str, Any]:
    total, count = 0.0, 0
    blocks: list[NDArray[np.bool_]] = []
    for block in read_blocks(sound, 100 * WINDOW):
        padded = np.pad(block.astype(np.float64), (0, -len(block) % WINDOW)).reshape(-1, WINDOW)
        energy = (padded**2).sum(axis=1)
        lengths = np.full(len(energy), WINDOW)
        lengths[-1] = len(block) - WINDOW * (len(energy) - 1)
        total += float(energy.sum())
        count += len(block)
        blocks.append(energy < lengths * 10 ** (SILENT_DBFS / 10))
    if count == 0:
        return {"sound_s": 0.0}
    taken = _measure_stream(read_facts(sound).get("sound"))
    level = 10 * math.log10(total / count) if total > 0 else -math.inf
    numbers = {"sound_s": count / SAMPLE_RATE, "level_dbfs": level, **taken}
    return numbers | _measure_silence(np.concatenate(blocks))


def _measure_silence(silent: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of silent windows, over all and inside; where all are silent, nothing is inside."""
    shares: dict[str, Any] = {"silent_share": float(silent.mean())}
    loud = np.flatnonzero(~silent)
    if len(loud):
        inner = silent[loud[0] : loud[-1] + 1]
        shares["inner_silent_share"] = float(inner.mean())
        shares["onset_s"] = int(loud[0]) * WINDOW / SAMPLE_RATE
    return shares


def _measure_file(timeline: Path, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What is missing where the header has one length for picture and sound: that of the longer."""
    taken = read_metadata(timeline).get("video", {}).get("taken")
    if not taken or taken["announced_s"] is not None:
        return {}
    facts = StreamFacts(**{**taken, "announced_s": taken["file_s"]})
    return {"missing_s": missing_s(facts, max(numbers["duration_s"], numbers.get("sound_s", 0.0)))}


def _measure_stream(facts: dict[str, Any] | None) -> dict[str, Any]:
    """Which stream the sound is, and what is missing of it; nothing of a file without facts."""
    if not facts:
        return {}
    found_s = facts.pop("found_s")
    taken = StreamFacts(**facts)
    return {
        "sound_stream": taken.number,
        "sound_streams": taken.of,
        "sound_missing_s": missing_s(taken, found_s),
    }


def draw_sheet(tiles: Sequence[Tile]) -> bytes:
    """Draw a contact sheet as JPEG: crops row by row, with frame number and time below each."""
    rows = -(-len(tiles) // TILES_PER_ROW)
    columns = min(len(tiles), TILES_PER_ROW)
    step_x, step_y = TILE + GAP, TILE + CAPTION + GAP
    sheet = np.full((rows * step_y - GAP, columns * step_x - GAP, 3), 255, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = k // TILES_PER_ROW * step_y, k % TILES_PER_ROW * step_x
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
