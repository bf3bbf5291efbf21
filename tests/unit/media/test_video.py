import gc
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.media.timeline import extract_frames
from circumplex.media.video import demux, iter_timeline, open_media
from clips import FLASHES, Sound, damage, noise, write_video
from pictures import iter_frames
from places import MEDIA


def timeline(video: Path, **options: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
    output = video.parent / "timeline.parquet"
    extract_frames(video, output, {"stage": "test"}, **options)
    frame, time_s, decoded = read_columns(output, ["frame", "time_s", "decoded"])
    return frame, time_s, decoded.astype(bool), read_metadata(output)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("b.mkv", "libx264", {"bf": "3"}),
        ("c.avi", "libx264", {"bf": "3"}),
        ("d.avi", "mpeg4", {"bf": "2"}),
        ("e.mpg", "mpeg1video", {}),
        ("f.mpg", "mpeg2video", {"bf": "2"}),
        ("g.ts", "mpeg2video", {"flags": "+ildct+ilme"}),
        ("h.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("i.webm", "libvpx-vp9", {"lag-in-frames": "16"}),
        ("j.mp4", "libx265", {"x265-params": "log-level=none"}),
        ("k.mov", "mjpeg", {}),
        ("l.wmv", "wmv2", {}),
        ("m.flv", "flv", {}),
        ("n.h264", "libx264", {}),
    ],
)
def test_every_frame_of_every_container_at_its_time(tmp_path, name, codec, options):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    # mpeg1 and mpeg2 files get pictures larger than their packets, as film has
    size = (352, 288) if name.endswith("mpg") else (96, 64)
    video = write_video(
        tmp_path / name, codec, frames=70, options=options, pixels=pixels, size=size
    )
    frame, time_s, decoded, metadata = timeline(video)
    assert decoded.all()
    np.testing.assert_array_equal(frame, np.arange(70))
    # matroska and flv round to a millisecond
    np.testing.assert_allclose(time_s, np.arange(70) / 25, atol=6e-4)
    assert metadata["stage"] == "test"
    assert (metadata["video"]["width"], metadata["video"]["height"]) == size
    white = [f.frame for f in iter_frames(video) if f.image.mean() > 150]
    assert white == list(FLASHES)


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(50)])
def test_broken_rates(tmp_path, rate):
    video = write_video(tmp_path / "a.mp4", "libx264", frames=50, rate=rate)
    _, time_s, _, _ = timeline(video)
    np.testing.assert_allclose(time_s, np.arange(50) / float(rate), atol=1e-4)


def test_variable_rate_keeps_the_timestamps(tmp_path):
    stamps = [0, 33, 67, 100, 400, 420, 1000, 1001, 1500]
    video = write_video(
        tmp_path / "a.mkv", "libx264", stamps=stamps, tick=Fraction(1, 1000), rate=30
    )
    _, time_s, decoded, _ = timeline(video)
    assert decoded.all()
    np.testing.assert_allclose(time_s, np.array(stamps) / 1000, atol=1e-9)


def test_late_video_starts_at_zero_and_the_offset_is_recorded(tmp_path):
    sound = Sound()
    video = write_video(tmp_path / "a.mkv", "mpeg4", frames=30, start_s=0.4, sound=sound)
    _, time_s, _, metadata = timeline(video)
    assert time_s[0] == 0.0
    facts = metadata["video"]
    assert facts["video_start_s"] - facts["container_start_s"] == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("rotation", "quarter"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1))]
)
def test_rotated_phone_video_is_upright(tmp_path, rotation, quarter):
    def marked(height: int, width: int, frame: int) -> np.ndarray:
        picture = noise(height, width, frame)
        picture[: height // 2, : width // 2] = 250
        return picture

    video = write_video(tmp_path / "a.mp4", "libx264", frames=3, rotation=rotation, picture=marked)
    image = next(iter_frames(video)).image
    turned = rotation in (90, -90)
    assert image.shape == ((96, 64, 3) if turned else (64, 96, 3))
    height, width = image.shape[0] // 2, image.shape[1] // 2
    means = image.reshape(2, height, 2, width, 3).mean(axis=(1, 3, 4))
    # counter-clockwise, the top left corner goes to the bottom left
    assert np.unravel_index(means.argmax(), means.shape) == quarter
    assert timeline(video)[3]["video"]["height"] == image.shape[0]


def test_anamorphic_video_gets_square_pixels(tmp_path):
    plain = write_video(tmp_path / "a.mkv", "mpeg4", frames=3)
    wide = tmp_path / "wide.mkv"
    with av.open(str(plain)) as reader, av.open(str(wide), "w") as writer:
        copy = writer.add_stream("mpeg4", rate=25)
        copy.width, copy.height, copy.pix_fmt = 96, 64, "yuv420p"
        copy.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for frame in reader.decode(video=0):
            writer.mux(copy.encode(frame))
        writer.mux(copy.encode(None))
    assert next(iter_frames(wide)).image.shape == (64, 128, 3)


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [
        ("libx265", "yuv420p10le", (96, 64)),
        ("libx264", "yuv444p", (97, 63)),
        ("ffv1", "yuv420p", (97, 63)),
        ("prores_ks", "yuv422p10le", (96, 64)),
    ],
)
def test_ten_bits_and_odd_sizes(tmp_path, codec, pixels, size):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    video = write_video(
        tmp_path / "a.mkv", codec, frames=25, pixels=pixels, size=size, options=options
    )
    images = list(iter_frames(video))
    assert [f.frame for f in images] == list(range(25))
    assert images[0].image.shape == (size[1], size[0], 3)
    assert images[0].image.dtype == np.uint8
    difference = images[FLASHES[0]].image.mean() - images[0].image.mean()
    assert difference == pytest.approx(235 - 30, abs=8)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "mjpeg"), ("a.avi", "mpeg4")]
)
def test_frames_that_fail_keep_their_number_and_time(tmp_path, name, codec):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    whole = write_video(tmp_path / f"whole_{name}", codec, frames=50, pixels=pixels)
    video = damage(whole, tmp_path / name, [7, 8, 30, 49])
    frame, time_s, decoded, _ = timeline(video)
    np.testing.assert_array_equal(np.flatnonzero(~decoded), [7, 8, 30, 49])
    np.testing.assert_array_equal(frame, np.arange(50))
    np.testing.assert_allclose(time_s, np.arange(50) / 25, atol=6e-4)
    assert [f.frame for f in iter_frames(video)] == list(np.flatnonzero(decoded))
    assert len(list(iter_timeline(video))) == 50


def test_damage_with_reordered_frames_loses_no_row(tmp_path):
    whole = write_video(
        tmp_path / "whole.mkv", "libx264", frames=60, options={"bf": "3", "g": "12"}
    )
    _, time_s, decoded, _ = timeline(damage(whole, tmp_path / "a.mkv", [20, 21]))
    np.testing.assert_allclose(time_s, np.arange(60) / 25, atol=6e-4)
    assert 2 <= (~decoded).sum() <= 12


def test_cut_off_file_keeps_what_is_readable(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", "mjpeg", frames=100, pixels="yuvj420p")
    content = whole.read_bytes()
    video = tmp_path / "a.mkv"
    video.write_bytes(content[: len(content) // 2])
    _, time_s, decoded, _ = timeline(video)
    assert 20 < decoded.sum() < 80
    np.testing.assert_allclose(time_s, np.arange(len(time_s)) / 25, atol=6e-4)


def test_size_that_changes_in_mid_stream(tmp_path):
    parts = [
        write_video(tmp_path / "a.ts", "mpeg2video", frames=20, size=(96, 64)),
        write_video(tmp_path / "b.ts", "mpeg2video", frames=20, size=(160, 128)),
    ]
    video = tmp_path / "joined.ts"
    video.write_bytes(b"".join(part.read_bytes() for part in parts))
    shapes = [f.image.shape for f in iter_frames(video)]
    assert (64, 96, 3) in shapes
    assert (128, 160, 3) in shapes
    _, time_s, _, _ = timeline(video)
    assert len(time_s) == len(shapes)
    assert (np.diff(time_s) > 0).all()
    assert time_s[-1] < 2.0


def test_one_frame(tmp_path):
    video = write_video(tmp_path / "a.mp4", "libx264", frames=1)
    frame, time_s, decoded, _ = timeline(video)
    assert (frame.tolist(), time_s.tolist(), decoded.tolist()) == ([0], [0.0], [True])


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "größe 顔 😀.mp4",
        'it\'s "quoted".mp4',
        "-dash.mp4",
        "a:b%03d.mp4",
        "[x]*.mp4",
    ],
)
def test_names_of_any_kind(tmp_path, monkeypatch, name):
    source = write_video(tmp_path / "plain.mp4", "mpeg4", frames=2)
    shutil.copy(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(iter_frames(Path(name)))) == 2


def truncated_mp4(path: Path) -> None:
    content = write_video(path, "mpeg4", frames=20).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def all_packets_damaged(path: Path) -> None:
    source = write_video(path.with_name("source.mkv"), "mjpeg", frames=5, pixels="yuvj420p")
    damage(source, path.with_name("damaged.mkv"), range(5)).replace(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "missing"),
        (lambda path: path.mkdir(), "is a folder, not a file"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_bytes(b"\0" * 5000), "cannot be opened"),
        (lambda path: path.write_text("valence,arousal\n0.1,0.2\n" * 50), "cannot be opened"),
        (lambda path: path.write_text("#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"), "cannot be opened"),
        (lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n"), "neither"),
        (lambda path: path.write_bytes(np.random.default_rng(0).bytes(20_000)), "cannot be opened"),
        (truncated_mp4, "cannot be opened"),
    ],
    ids=["absent", "folder", "empty", "zeros", "text", "playlist", "subtitles", "noise", "cut"],
)
def test_unusable_files_say_what_to_do(tmp_path, make, says):
    video = tmp_path / "a.mp4"
    make(video)
    with pytest.raises(SampleError, match=says):
        timeline(video)
    assert not (tmp_path / "timeline.parquet").exists()


def test_nothing_decodes(tmp_path):
    video = tmp_path / "a.mkv"
    all_packets_damaged(video)
    with pytest.raises(SampleError, match="no frame of the video decodes"):
        timeline(video)


def test_sound_alone_has_a_regular_timeline(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    _, time_s, decoded, metadata = timeline(path, audio_only_fps=30.0)
    np.testing.assert_allclose(time_s, np.arange(30) / 30)
    assert not decoded.any()
    assert "video" not in metadata
    with pytest.raises(ModalityAbsent):
        next(iter_frames(path))


def test_no_picture_waits_for_the_garbage_collector(tmp_path):
    """Memory must not grow with the video's length."""
    video = write_video(tmp_path / "a.mp4", "libx264", frames=30)
    gc.collect()
    gc.disable()
    try:
        for _ in iter_frames(video):
            pass
        kept = [item for item in gc.get_objects() if isinstance(item, av.VideoFrame)]
    finally:
        gc.enable()
    assert len(kept) <= 2


def test_real_clips():
    media = MEDIA
    if not media.is_dir():
        pytest.skip("the real clips do not lie beside this checkout, in ../shared/media")
    counts = {path.name: sum(1 for _ in iter_frames(path)) for path in media.glob("t*.m*")}
    assert counts
    assert set(counts.values()) == {75}
    film = [f.time_s for f in iter_frames(media / "face_then_none_vfr_late_audio.mov")]
    steps = np.diff(film)
    assert steps.min() < 1 / 29
    assert steps.max() > 1 / 25


def test_a_disk_that_stops_in_mid_file_is_no_truncation(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mkv", "mjpeg", pixels="yuvj420p", frames=30)
    content = video.read_bytes()

    def refuse(path):
        raise OSError(5, "Input/output error", str(path))

    def stop(_container, _stream):
        yield from ()
        raise av.error.OSError(5, "Input/output error", str(video))

    with open_media(video) as container:
        stream = container.streams.video[0]
        broken = SimpleNamespace(name=container.name, demux=lambda _: stop(None, None))
        assert [packet.size for packet in demux(broken, stream)] == [0], "the file itself is whole"
        monkeypatch.setattr("circumplex.media.video.file_digest", refuse)
        with pytest.raises(OSError, match="Input/output error"):
            list(demux(broken, stream))
    assert video.read_bytes() == content
