"""A folder of numbered images is a video at a declared rate."""

import numpy as np
import pytest
from PIL import Image

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.media.playback import find_obstacle
from circumplex.media.proxy import Streams, make_proxy
from circumplex.media.resampling import resample_timeline
from circumplex.media.sound import extract_audio
from circumplex.media.timeline import extract_frames
from circumplex.media.video import FailedFrame, VideoFrame, iter_timeline

DRAW = np.random.default_rng(0)
PICTURES = DRAW.integers(0, 256, (12, 24, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Twelve images, numbered from 1, with a text file beside them."""
    path = tmp_path / "frames"
    path.mkdir()
    for k, picture in enumerate(PICTURES):
        Image.fromarray(picture).save(path / f"{k + 1:05d}.png")
    (path / "notes.txt").write_text("no image")
    return path


def frames_of(folder, rate=25.0):
    return list(iter_timeline(folder, image_rate=rate))


def test_pictures_and_times(folder, tmp_path):
    frames = frames_of(folder)
    assert all(isinstance(frame, VideoFrame) for frame in frames)
    np.testing.assert_array_equal([frame.image for frame in frames], PICTURES)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25)
    timeline = tmp_path / "timeline.parquet"
    extract_frames(folder, timeline, {"key": "k"}, image_rate=25.0)
    frame, time_s, decoded = read_columns(timeline, ["frame", "time_s", "decoded"])
    np.testing.assert_array_equal(frame, np.arange(12))
    np.testing.assert_allclose(time_s, np.arange(12) / 25)
    assert decoded.all()
    video = read_metadata(timeline)["video"]
    assert (video["width"], video["height"], video["average_rate"]) == (32, 24, 25.0)
    regular = tmp_path / "regular.parquet"
    resample_timeline(timeline, regular, {}, rate=5.0)
    assert read_columns(regular, ["source"])[0].tolist() == [0, 5, 10]


@pytest.mark.parametrize("names", ["{:05d}.png", "img{}.png", "clip_2_{:d}.png", "{}.PNG"])
@pytest.mark.parametrize("first", [0, 1, 998])
def test_names_and_first_numbers(tmp_path, names, first):
    for k, picture in enumerate(PICTURES):
        Image.fromarray(picture).save(tmp_path / names.format(first + k), format="png")
    images = [frame.image for frame in frames_of(tmp_path)]
    np.testing.assert_array_equal(images, PICTURES)


def test_a_missing_and_a_damaged_image_are_frames_without_picture(folder, tmp_path):
    (folder / "00003.png").unlink()
    (folder / "00001.png").write_bytes((folder / "00001.png").read_bytes()[:100])
    (folder / "00012.png").write_bytes(b"")
    frames = frames_of(folder)
    lost = [frame.frame for frame in frames if isinstance(frame, FailedFrame)]
    assert lost == [0, 2, 11]
    assert [frame.frame for frame in frames] == list(range(12))
    timeline = tmp_path / "timeline.parquet"
    extract_frames(folder, timeline, {}, image_rate=25.0)
    decoded = read_columns(timeline, ["decoded"])[0]
    assert np.flatnonzero(~decoded).tolist() == [0, 2, 11]


def test_pictures_are_upright_and_of_8_bits(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(PICTURES[0]).save(tmp_path / "1.png", exif=exif)
    Image.fromarray(PICTURES[0][..., 0]).save(tmp_path / "2.png")
    deep = (PICTURES[0][..., 0].astype(np.uint16) << 8) + 7
    Image.fromarray(deep).save(tmp_path / "3.png")
    turned, grey, shallow = (frame.image for frame in frames_of(tmp_path))
    np.testing.assert_array_equal(turned, np.rot90(PICTURES[0], -1))
    for image in (grey, shallow):
        np.testing.assert_array_equal(image, np.repeat(PICTURES[0][..., :1], 3, axis=2))


def test_a_folder_has_no_sound(folder, tmp_path):
    with pytest.raises(ModalityAbsent, match="column audio"):
        extract_audio(folder, tmp_path / "a.wav", clock=None)


def test_a_proxy_shows_it(folder, tmp_path):
    timeline = tmp_path / "timeline.parquet"
    extract_frames(folder, timeline, {}, image_rate=10.0)
    assert find_obstacle(folder) == "it is a folder of images"
    copy = tmp_path / "copy.mp4"
    streams = Streams(image_rate=10.0)
    make_proxy(folder, timeline, copy, height=360, always=False, streams=streams)
    shown = [frame.time_s for frame in iter_timeline(copy)]
    np.testing.assert_allclose(shown, np.arange(12) / 10, atol=1e-3)


def write(folder, name, content=b""):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: [path.unlink() for path in folder.glob("*.png")], "no numbered image"),
        (lambda folder: write(folder, "1.png"), "have the same number: remove one"),
        (lambda folder: write(folder, "99999.png"), "numbered from 1 to 99999, but there are 13"),
        (
            lambda folder: [path.write_bytes(b"x") for path in folder.glob("*.png")],
            "none of the folder's 12 images decodes",
        ),
        (lambda folder: (folder / "13.png").mkdir(), r"image 13\.png is a folder"),
    ],
)
def test_what_is_refused(folder, tmp_path, prepare, message):
    prepare(folder)
    with pytest.raises(SampleError, match=message):
        extract_frames(folder, tmp_path / "t.parquet", {}, image_rate=25.0)
    assert not (tmp_path / "t.parquet").exists()


def test_an_image_of_too_many_pixels_is_not_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("circumplex.media.streams.MOST_PIXELS", 100)
    with pytest.raises(SampleError, match="32x24 pixels, more than"):
        extract_frames(folder, tmp_path / "t.parquet", {}, image_rate=25.0)
    monkeypatch.setattr("circumplex.media.images.MOST_BYTES", 10)
    with pytest.raises(SampleError, match="more than 0 MB"):
        extract_frames(folder, tmp_path / "t.parquet", {}, image_rate=25.0)


def test_a_rate_goes_with_a_folder(folder, tmp_path):
    with pytest.raises(SampleError, match="column image_rate"):
        extract_frames(folder, tmp_path / "t.parquet", {})
    with pytest.raises(SampleError, match="leave the column empty"):
        extract_frames(folder / "00001.png", tmp_path / "t.parquet", {}, image_rate=25.0)
    with pytest.raises(SampleError, match="longer than 24 hours"):
        extract_frames(folder, tmp_path / "t.parquet", {}, image_rate=1e-4)
