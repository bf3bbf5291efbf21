import math
import wave
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from circumplex.faces.table import face_schema
from circumplex.io.parquet import TableWriter, frame_schema, read_metadata
from circumplex.report.quality import (
    CAPTION,
    GAP,
    ROWS_AT_ONCE,
    TILE,
    TILES,
    TILES_PER_ROW,
    Tile,
    draw_sheet,
    read_quality,
    read_sheet,
    summarise_quality,
)

RATE = 16_000


def write_timeline(path: Path, time_s, decoded=True) -> Path:
    schema = frame_schema(pa.field("decoded", pa.bool_(), nullable=False))
    with TableWriter(path, schema, {}) as table:
        flags = np.broadcast_to(decoded, len(time_s))
        table.write(frame=np.arange(len(time_s)), time_s=time_s, decoded=flags)
    return path


def grey(value: int) -> bytes:
    return bytes(cv2.imencode(".png", np.full((112, 112, 3), value, np.uint8))[1])


def write_faces(path: Path, rows: list[dict]) -> Path:
    """Rows of ``time_s`` and, as wanted, ``side``, ``others``, ``crop``, ``switch``."""
    with TableWriter(path, face_schema(), {}) as table:
        for frame, row in enumerate(rows):
            side = row.get("side")
            box = None if side is None else [5.0, 6.0, 5.0 + side, 6.0 + side]
            face = {"box": box, "landmarks": [0.0] * 10, "probability": 0.9}
            count = row.get("others", 0) + (box is not None)
            table.write(
                frame=[frame],
                time_s=[row["time_s"]],
                valid=[box is not None or "crop" in row],
                probability=[None],
                box=[box],
                landmarks=[None],
                subject_switch=[row.get("switch", False)],
                interpolated=[row.get("between", False)],
                detections=[[face] * count if box else [{**face, "box": [0.0] * 4}] * count],
                crop=[row.get("crop", grey(50 + frame % 200) if box else None)],
            )
    return path


def write_wave(path: Path, values: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(values * 32767).astype("<i2").tobytes())
    return path


def summed_up(folder: Path, rows=None, values=None, decoded=True, times=None):
    times = [row["time_s"] for row in rows] if times is None else times
    timeline = write_timeline(folder / "timeline.parquet", times, decoded)
    faces = None if rows is None else write_faces(folder / "faces.parquet", rows)
    sound = None if values is None else write_wave(folder / "a.wav", values)
    output = folder / "quality.parquet"
    summarise_quality(timeline, output, {"made": 1}, faces=faces, sound=sound)
    assert read_metadata(output) == {"made": 1}
    return read_quality(output), read_sheet(output)


def tiles_of(sheet: bytes) -> list[np.ndarray]:
    """The crops of a sheet, by the place of each."""
    image = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)
    found = []
    for y in range(0, image.shape[0], TILE + CAPTION + GAP):
        for x in range(0, image.shape[1], TILE + GAP):
            found.append(image[y : y + TILE, x : x + TILE])
    return found


def test_numbers_of_faces_against_counting_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(ROWS_AT_ONCE * 2 + 37):
        row: dict = {"time_s": k / 30}
        if rng.random() < 0.8:
            row |= {"side": float(rng.integers(30, 90)), "others": int(rng.integers(0, 3))}
        elif rng.random() < 0.5:
            row["others"] = 1  # a face, but not the subject's
        row["switch"] = "side" in row and rng.random() < 0.05
        row["between"] = rng.random() < 0.1
        rows.append(row)
    decoded = rng.random(len(rows)) < 0.95
    decoded[0] = True
    quality, sheet = summed_up(tmp_path, rows, decoded=decoded)
    sides = sorted(row["side"] for row in rows if "side" in row)
    counts = [row.get("others", 0) + ("side" in row) for row in rows]
    assert quality.frames == len(rows)
    assert quality.duration_s == pytest.approx(len(rows) / 30)
    assert quality.decoded_share == pytest.approx(decoded.mean())
    assert quality.valid_share == pytest.approx(len(sides) / len(rows))
    assert quality.interpolated_share == pytest.approx(np.mean([row["between"] for row in rows]))
    assert quality.face_px == sides[(len(sides) - 1) // 2]
    assert quality.detections == pytest.approx(np.mean(counts))
    assert quality.most_detections == max(counts)
    assert quality.crowded_share == pytest.approx(np.mean([count > 1 for count in counts]))
    assert quality.switches == sum(row["switch"] for row in rows)
    assert (quality.sound_s, quality.level_dbfs, quality.silent_share) == (None, None, None)
    assert len(tiles_of(sheet)) == TILES


def test_crops_come_at_regular_times_not_every_nth_frame(tmp_path):
    """A hundred frames in the first second, sixteen in the fifteen that follow."""
    times = [*np.arange(100) / 100, *range(1, 17)]
    rows = [{"time_s": float(t), "side": 50.0} for t in times]
    for k, row in enumerate(rows):
        row["crop"] = grey(100 if k < 100 else 10 * (k - 99))
    _, sheet = summed_up(tmp_path, rows)
    seen = [round(tile[20:70, 20:70].mean()) for tile in tiles_of(sheet)]
    # Every 16.14 s / 16, the first frame from there on: at 0, 2, 3 ... 16 s.
    assert seen == pytest.approx([100, *(10 * k for k in range(2, 17))], abs=2)


def test_frames_without_a_face_and_broken_crops_have_their_place(tmp_path):
    rows = [{"time_s": k / 25, "side": 50.0, "crop": grey(20)} for k in range(TILES)]
    rows[3] = {"time_s": 3 / 25}
    rows[5]["crop"] = b"no picture"
    rows[6]["crop"] = b""
    quality, sheet = summed_up(tmp_path, rows)
    light = [k for k, tile in enumerate(tiles_of(sheet)) if tile.mean() > 150]
    assert light == [3, 5, 6]
    assert quality.valid_share == 15 / 16


@pytest.mark.parametrize("frames", [1, 2, TILES_PER_ROW, TILES_PER_ROW + 1])
def test_short_videos_have_a_crop_for_each_frame(tmp_path, frames):
    rows = [{"time_s": k / 25, "side": 50.0, "crop": grey(20)} for k in range(frames)]
    quality, sheet = summed_up(tmp_path, rows)
    dark = sum(tile[10:60, 10:60].mean() < 60 for tile in tiles_of(sheet))
    assert dark == frames
    assert quality.duration_s == pytest.approx(frames / 25)


def test_handed_out_crops_have_neither_boxes_nor_detections(tmp_path):
    rows = [{"time_s": k / 25, "crop": grey(20)} for k in range(20)]
    quality, sheet = summed_up(tmp_path, rows)
    assert quality.valid_share == 1
    for name in ("face_px", "detections", "most_detections", "crowded_share", "interpolated_share"):
        assert getattr(quality, name) is None
    assert sheet is not None


def test_never_a_face(tmp_path):
    quality, sheet = summed_up(tmp_path, [{"time_s": k / 25} for k in range(30)])
    assert (quality.valid_share, quality.detections, quality.face_px) == (0, 0, None)
    assert all(tile.mean() > 150 for tile in tiles_of(sheet))


def test_sound_alone(tmp_path):
    times = np.arange(30) / 30
    quality, sheet = summed_up(tmp_path, None, np.zeros(RATE), decoded=False, times=times)
    assert sheet is None
    assert quality.valid_share is None
    assert (quality.decoded_share, quality.sound_s) == (0, 1)
    assert (quality.level_dbfs, quality.silent_share) == (-math.inf, 1)
    assert (quality.onset_s, quality.inner_silent_share) == (None, None)


@pytest.mark.parametrize("level", [0.5, 0.01, 0.001])
def test_level_of_a_square_wave_is_its_amplitude(tmp_path, level):
    values = level * np.where(np.arange(3 * RATE + 777) % 100 < 50, 1.0, -1.0)
    quality, _ = summed_up(tmp_path, None, values, times=[0.0])
    stored = round(level * 32767) / 32768
    assert quality.level_dbfs == pytest.approx(20 * math.log10(stored), abs=1e-9)
    assert quality.sound_s == pytest.approx(len(values) / RATE)
    assert quality.silent_share == (1 if stored <= 0.001 else 0)


def test_silence_is_counted_in_parts_of_a_tenth_of_a_second(tmp_path):
    """Longer than one block, the last part incomplete: 61.25 s, silent from 10 s to 50 s."""
    values = 0.1 * np.where(np.arange(round(61.25 * RATE)) % 100 < 50, 1.0, -1.0)
    values[10 * RATE : 50 * RATE] = 0
    quality, _ = summed_up(tmp_path, None, values, times=[0.0])
    assert quality.silent_share == pytest.approx(400 / 613)
    assert (quality.onset_s, quality.inner_silent_share) == (0, quality.silent_share)
    loud = round(0.1 * 32767) / 32768
    expected = 20 * math.log10(loud) + 10 * math.log10(21.25 / 61.25)
    assert quality.level_dbfs == pytest.approx(expected, abs=1e-9)


def test_silence_at_the_margins_is_not_inside(tmp_path):
    """3 s: silent up to 0.5 s, from 1.5 to 1.8 s, and from 2.4 s on."""
    values = 0.1 * np.where(np.arange(3 * RATE) % 100 < 50, 1.0, -1.0)
    for first, last in ((0, 0.5), (1.5, 1.8), (2.4, 3)):
        values[round(first * RATE) : round(last * RATE)] = 0
    quality, _ = summed_up(tmp_path, None, values, times=[0.0])
    assert quality.onset_s == pytest.approx(0.5)
    assert quality.silent_share == pytest.approx(14 / 30)
    assert quality.inner_silent_share == pytest.approx(3 / 19)


def test_no_sample_of_sound(tmp_path):
    quality, _ = summed_up(tmp_path, None, np.zeros(0), times=[0.0])
    assert (quality.sound_s, quality.level_dbfs, quality.silent_share) == (0, None, None)


def test_equal_crops_make_equal_bytes():
    tiles = [Tile(k, k / 25, grey(9)) for k in range(5)]
    assert draw_sheet(tiles) == draw_sheet(tiles)
