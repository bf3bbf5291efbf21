import logging
import os
import struct
from contextlib import suppress

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circumplex.errors import SampleError
from circumplex.faces.crop_folder import _decodes, import_faces
from circumplex.io.parquet import TableWriter, frame_schema, read_metadata


@pytest.fixture
def timeline(tmp_path):
    path = tmp_path / "timeline.parquet"
    with TableWriter(path, frame_schema(pa.field("decoded", pa.bool_())), {}) as writer:
        writer.write(frame=range(6), time_s=[0.0, 0.1, 0.2, 0.5, 0.6, 0.7], decoded=[True] * 6)
    return path


def write_crops(folder, numbers, size=112, digits=5):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for number in numbers:
        image = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:0{digits}d}.jpg"), image)
    return folder


@pytest.mark.parametrize("digits", [1, 5, 7])
def test_bytes_are_unchanged_and_gaps_invalid(tmp_path, timeline, digits):
    folder = write_crops(tmp_path / "crops", [1, 3, 4, 6], digits=digits)
    (folder / ".DS_Store").write_bytes(b"x")
    import_faces(folder, timeline, tmp_path / "faces.parquet", {"made": "by hand"})
    table = pq.read_table(tmp_path / "faces.parquet")
    assert table["frame"].to_pylist() == list(range(6))
    assert table["time_s"].to_pylist() == [0.0, 0.1, 0.2, 0.5, 0.6, 0.7]
    assert table["valid"].to_pylist() == [True, False, True, True, False, True]
    for frame, crop in enumerate(table["crop"].to_pylist()):
        path = folder / f"{frame + 1:0{digits}d}.jpg"
        assert crop == (path.read_bytes() if path.exists() else None)
    for column in ("probability", "box", "landmarks"):
        assert table[column].null_count == 6
    assert table["detections"].to_pylist() == [[]] * 6
    assert read_metadata(tmp_path / "faces.parquet") == {"made": "by hand"}


def test_a_few_images_too_many_are_left_out(tmp_path, timeline, caplog):
    folder = write_crops(tmp_path / "crops", range(1, 10))
    with caplog.at_level(logging.WARNING):
        import_faces(folder, timeline, tmp_path / "faces.parquet", {})
    assert "3 crops past" in caplog.text
    assert pq.read_metadata(tmp_path / "faces.parquet").num_rows == 6


def absent(folder):
    pass


def empty(folder):
    folder.mkdir()


def too_many(folder):
    write_crops(folder, range(1, 30))


def raw_crops(folder):
    write_crops(folder, [1, 2], size=160)


def numbered_from_zero(folder):
    write_crops(folder, [0, 1, 2])


def no_jpeg(folder):
    write_crops(folder, [1])
    (folder / "00002.jpg").write_text("not found")


def a_folder_as_crop(folder):
    write_crops(folder, [1])
    (folder / "00002.jpg").mkdir()


def a_pipe_as_crop(folder):
    write_crops(folder, [1])
    os.mkfifo(folder / "00002.jpg")


def link_as_crop(folder, target):
    write_crops(folder, [1])
    (folder / "00002.jpg").symlink_to(target)


def a_device_as_crop(folder):
    link_as_crop(folder, "/dev/zero")


def a_loop_as_crop(folder):
    link_as_crop(folder, "00002.jpg")


def a_dead_link_as_crop(folder):
    link_as_crop(folder, "nowhere")


def declares_many_pixels(folder):
    write_crops(folder, [1, 2])
    path = folder / "00002.jpg"
    content = path.read_bytes()
    place = content.index(b"\xff\xc0") + 5
    path.write_bytes(content[:place] + struct.pack(">HH", 23_170, 23_170) + content[place + 4 :])


def much_too_large(folder):
    write_crops(folder, [1, 2])
    with (folder / "00002.jpg").open("ab") as file:
        file.truncate(5 << 20)


def all_cut(folder):
    write_crops(folder, [1, 2])
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_crop_that_is_cut_off_is_a_frame_without_a_face(tmp_path, timeline, caplog, share):
    folder = write_crops(tmp_path / "crops", range(1, 7))
    path = folder / "00003.jpg"
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    with caplog.at_level(logging.WARNING):
        import_faces(folder, timeline, tmp_path / "faces.parquet", {})
    table = pq.read_table(tmp_path / "faces.parquet")
    assert table["valid"].to_pylist() == [True, True, False, True, True, True]
    assert table["crop"][2].as_py() is None
    assert "1 crops are cut off or damaged" in caplog.text
    assert "00003.jpg" in caplog.text


@given(place=st.integers(2, 700), value=st.binary(min_size=1, max_size=6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_damaged_header_fails_nothing_but_its_frame_or_its_sample(place, value):
    content = bytearray(cv2.imencode(".jpg", np.full((112, 112, 3), 90, np.uint8))[1].tobytes())
    content[place : place + len(value)] = value
    with suppress(SampleError):
        assert _decodes("00001.jpg", bytes(content)) in (True, False)


def twice(folder):
    write_crops(folder, [1])
    write_crops(folder, [1], digits=3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (absent, "missing"),
        (empty, "no image"),
        (too_many, "this video's"),
        (raw_crops, "160x160"),
        (numbered_from_zero, "from 1"),
        (no_jpeg, "not a JPEG"),
        (a_folder_as_crop, "00002.jpg is a folder, not a file"),
        (a_pipe_as_crop, "00002.jpg is a pipe, not a file"),
        (a_device_as_crop, "00002.jpg is a device, not a file"),
        (a_loop_as_crop, "00002.jpg is a link that leads back to itself"),
        (a_dead_link_as_crop, "00002.jpg is a link to nothing"),
        (declares_many_pixels, "00002.jpg (declares more pixels|is 23170x23170)"),
        (much_too_large, "00002.jpg has more than 4 MB"),
        (all_cut, "none of the 2 crops decodes"),
        (twice, "the same frame"),
    ],
)
def test_unusable_folders(tmp_path, timeline, make, says):
    make(tmp_path / "crops")
    with pytest.raises(SampleError, match=says):
        import_faces(tmp_path / "crops", timeline, tmp_path / "faces.parquet", {})
    assert not (tmp_path / "faces.parquet").exists()
