"""Files with several pictures or sounds: the ones are taken that the ``ffmpeg`` command takes."""

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from circumplex.errors import SampleError
from circumplex.io.parquet import read_metadata
from circumplex.media.proxy import Streams, make_proxy
from circumplex.media.resampling import resample_timeline
from circumplex.media.sound import extract_audio
from circumplex.media.timeline import extract_frames
from circumplex.media.video import iter_timeline
from circumplex.media.wave import read_facts
from circumplex.report.quality import read_quality, summarise_quality

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("ffmpeg") is None, reason="the ffmpeg command is not installed"
    ),
]
RED, BLUE = "color=red:s=160x120:r=25:d=2", "color=blue:s=64x48:r=25:d=2"
LARGE = "color=green:s=320x240:r=5:d=2"
LOUD, QUIET = "sine=frequency=500:sample_rate=48000:d=2", "sine=f=300:r=48000:d=2,volume=0.1"
SILENT = "anullsrc=r=48000:cl=stereo:d=2"
SURROUND = "anoisesrc=r=48000:d=2:a=0.05,pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0"
LATE = "sine=f=800:r=48000:d=2"


def ffmpeg(*arguments) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def mix(path: Path, sources, *options) -> Path:
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    maps = [word for number in range(len(sources)) for word in ("-map", number)]
    ffmpeg(*inputs, *maps, "-c:v", "libx264", "-c:a", "aac", *options, path)
    return path


def taken(media: Path, **streams):
    """Colour of the first picture, and the level of the sound, that this project takes."""
    timeline, sound = media.with_suffix(".parquet"), media.with_suffix(".wav")
    extract_frames(media, timeline, {}, video_stream=streams.get("video"))
    extract_audio(media, sound, clock=timeline, number=streams.get("audio"))
    picture = next(iter_timeline(media, streams.get("video"))).image
    with wave.open(str(sound)) as file:
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    return picture.shape[:2], picture.mean((0, 1)), np.sqrt((values**2).mean())


def taken_by_ffmpeg(media: Path):
    size = ("-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    picture = np.frombuffer(ffmpeg("-i", media, *size), np.uint8).reshape(-1, 3)
    raw = ffmpeg("-i", media, "-f", "s16le", "-ac", 1, "-ar", 16_000, "-")
    values = np.frombuffer(raw, "<i2") / 32768
    return len(picture), picture.mean(0), np.sqrt((values**2).mean())


@pytest.mark.parametrize("container", ["a.mkv", "a.mp4", "a.mov", "a.ts"])
@pytest.mark.parametrize(
    ("sources", "options"),
    [
        ((RED, QUIET, LOUD), ()),
        ((RED, QUIET, LOUD), ("-disposition:a:0", "0", "-disposition:a:1", "default")),
        ((RED, QUIET, LOUD), ("-disposition:a:0", "comment", "-disposition:a:1", "default")),
        ((RED, LOUD, SURROUND), ("-disposition:a:0", "0", "-disposition:a:1", "0")),
        ((RED, LOUD, SURROUND), ("-disposition:a:0", "default", "-disposition:a:1", "0")),
        ((BLUE, RED, LOUD), ("-disposition:v:0", "0", "-disposition:v:1", "0")),
        ((BLUE, RED, LOUD), ("-disposition:v:0", "0", "-disposition:v:1", "default")),
        ((RED, BLUE, LOUD), ("-disposition:v:0", "0", "-disposition:v:1", "default")),
        ((BLUE, LARGE, RED, QUIET, SURROUND), ()),
    ],
)
def test_the_streams_are_those_that_ffmpeg_takes(tmp_path, container, sources, options):
    media = mix(tmp_path / container, sources, *options)
    shape, colour, level = taken(media)
    pixels, other_colour, other_level = taken_by_ffmpeg(media)
    assert shape[0] * shape[1] == pixels
    np.testing.assert_allclose(colour, other_colour, atol=3)
    assert level == pytest.approx(other_level, rel=0.1)


def make_unknown(media: Path, codec: bytes, place: int) -> None:
    """Name a codec that nobody has in the entry of a track."""
    content = bytearray(media.read_bytes())
    found = content.index(codec)
    for _ in range(place):
        found = content.index(codec, found + 1)
    content[found : found + len(codec)] = codec[:-3] + b"XYZ"
    media.write_bytes(content)


@pytest.mark.parametrize("broken", [0, 1])
def test_a_stream_that_nobody_decodes_is_passed_over(tmp_path, broken):
    media = mix(tmp_path / "a.mkv", (RED, QUIET, LOUD))
    make_unknown(media, b"A_AAC", broken)
    level = taken(media)[2]
    assert (level > 0.05) == (broken == 0)
    assert read_facts(media.with_suffix(".wav"))["sound"]["number"] == 1 - broken


def test_a_picture_that_nobody_decodes_is_passed_over(tmp_path):
    media = mix(tmp_path / "a.mkv", (RED, BLUE, LOUD))
    make_unknown(media, b"V_MPEG4/ISO/AVC", 0)
    assert taken(media)[0] == (48, 64)


def test_a_stream_whose_packets_are_noise_is_passed_over(tmp_path):
    media = mix(tmp_path / "a.mkv", (RED, LOUD, QUIET), "-c:a", "flac")
    noise = ("-map", 0, "-c", "copy", "-bsf:a:0", "noise=amount=1", tmp_path / "b.mkv")
    ffmpeg("-i", media, *noise)
    assert taken(tmp_path / "b.mkv")[2] < 0.02


def test_a_sheet_selects_a_stream(tmp_path):
    media = mix(tmp_path / "a.mkv", (RED, BLUE, QUIET, LOUD))
    shape, colour, level = taken(media, video=1, audio=1)
    assert shape == (48, 64)
    assert colour.argmax() == 2
    assert level > 0.05
    assert taken(media, video=0, audio=0)[2] < 0.02
    with pytest.raises(SampleError, match="asks for video stream 2, but the file has 2"):
        taken(media, video=2)
    with pytest.raises(SampleError, match="asks for audio stream 7, but the file has 2"):
        taken(media, audio=7)


def test_the_tables_say_which_was_taken_and_of_how_many(tmp_path, caplog):
    sources = (BLUE, RED, QUIET, LOUD, QUIET)
    media = mix(tmp_path / "a.mkv", sources, "-disposition:v:0", "0")
    taken(media, audio=1)
    video = read_metadata(media.with_suffix(".parquet"))["video"]["taken"]
    sound = read_facts(media.with_suffix(".wav"))["sound"]
    assert (video["number"], video["of"]) == (1, 2)
    assert (sound["number"], sound["of"]) == (1, 3)
    assert "video stream 1 of 2 is taken" in caplog.text
    assert "audio stream 1 of 3 is taken" in caplog.text


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("a.mp4", ("-movflags", "+faststart")), ("a.mov", ("-movflags", "+faststart"))),
        *(("a.mkv", ()), ("a.webm", ("-c:v", "libvpx", "-c:a", "libopus")), ("a.avi", ())),
    ],
)
def test_a_download_that_broke_off_is_reported(tmp_path, caplog, name, options):
    media = mix(tmp_path / name, ("testsrc2=s=160x120:r=25:d=6", "sine=d=6"), *options)
    taken(media)
    assert "missing" not in caplog.text, "a whole file lacks nothing"
    content = media.read_bytes()
    media.write_bytes(content[: len(content) * 6 // 10])
    caplog.clear()
    taken(media)
    assert "s that the file announces are missing at the end of the picture" in caplog.text
    if name != "a.avi":  # its header counts frames alone
        assert "s that the file announces are missing at the end of the sound" in caplog.text
    video = read_metadata(media.with_suffix(".parquet"))["video"]["taken"]
    assert video["announced_s"] == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a", "a.mka", "a.aiff"])
def test_a_sound_file_that_broke_off_is_reported(tmp_path, caplog, name):
    media = tmp_path / name
    options = ("-movflags", "+faststart") if name == "a.m4a" else ()
    ffmpeg("-f", "lavfi", "-i", "sine=d=10", *options, media)
    extract_audio(media, tmp_path / "out.wav", clock=None)
    assert "missing" not in caplog.text
    content = media.read_bytes()
    media.write_bytes(content[: len(content) // 2])
    extract_audio(media, tmp_path / "out.wav", clock=None)
    assert "of the 10.0 s that the file announces are missing" in caplog.text
    facts = read_facts(tmp_path / "out.wav")["sound"]
    assert 3 < facts["found_s"] < 6


def test_a_file_that_announces_one_length_for_all_is_compared_with_the_longest(tmp_path):
    media = mix(tmp_path / "a.flv", ("testsrc2=s=160x120:r=25:d=3", "sine=d=6"), "-ar", 44_100)
    taken(media)
    timeline, sound = media.with_suffix(".parquet"), media.with_suffix(".wav")
    summarise_quality(timeline, tmp_path / "q.parquet", {}, faces=None, sound=sound)
    whole = read_quality(tmp_path / "q.parquet")
    assert whole.missing_s == 0, "the sound is as long as the file says, the picture need not be"
    content = media.read_bytes()
    media.write_bytes(content[: len(content) // 2])
    taken(media)
    summarise_quality(timeline, tmp_path / "q.parquet", {}, faces=None, sound=sound)
    cut = read_quality(tmp_path / "q.parquet")
    assert cut.missing_s == pytest.approx(6 - max(cut.duration_s, cut.sound_s), abs=0.2)
    assert cut.missing_s > 1
    assert (whole.video_stream, whole.video_streams) == (0, 1)
    assert (whole.sound_stream, whole.sound_streams) == (0, 1)


def test_a_copy_for_browsers_has_the_streams_that_the_sheet_names(tmp_path):
    media = mix(tmp_path / "a.mp4", (RED, BLUE, QUIET, LOUD))
    timeline, copy = tmp_path / "t.parquet", tmp_path / "copy.mp4"
    extract_frames(media, timeline, {}, video_stream=1)
    make_proxy(media, timeline, copy, height=360, always=False, streams=Streams(1, 1))
    shape, colour, level = taken(copy)
    assert shape == (48, 64)
    assert colour.argmax() == 2
    assert level > 0.05
    timeline.unlink()


def test_a_timeline_of_another_rate_lacks_no_frames(tmp_path):
    media = mix(
        tmp_path / "a.mp4", ("testsrc2=s=160x120:r=25:d=6", LOUD), "-movflags", "+faststart"
    )
    content = media.read_bytes()
    for share, lacks in ((1.0, False), (0.5, True)):
        media.write_bytes(content[: round(len(content) * share)])
        extract_frames(media, tmp_path / "t.parquet", {})
        for rate in (5.0, 60.0):
            resample_timeline(tmp_path / "t.parquet", tmp_path / "r.parquet", {}, rate=rate)
            quality = tmp_path / "q.parquet"
            summarise_quality(tmp_path / "r.parquet", quality, {}, faces=None, sound=None)
            assert (read_quality(quality).missing_s > 1) == lacks
