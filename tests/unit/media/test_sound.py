import re
import shlex
import shutil
import struct
import subprocess
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.media.sound import extract_audio
from circumplex.media.timeline import extract_frames
from circumplex.media.wave import SAMPLE_RATE, read_blocks
from clips import FLASHES, Sound, overwrite, write_video
from pictures import iter_frames
from places import MEDIA


def read(path: Path, block: int = 5000) -> np.ndarray:
    return np.concatenate(list(read_blocks(path, block)))


def hear(media: Path) -> np.ndarray:
    """The sound of a file on its video's clock."""
    extract_frames(media, media.parent / "timeline.parquet", {})
    extract_audio(media, media.parent / "sound.wav", clock=media.parent / "timeline.parquet")
    return read(media.parent / "sound.wav")


def onsets_s(sound: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(sound) > 0.25)
    return loud[np.diff(loud, prepend=-SAMPLE_RATE) > SAMPLE_RATE // 10] / SAMPLE_RATE


@pytest.mark.parametrize(
    ("name", "codec", "sound", "video_start_s"),
    [
        ("a.mp4", "mpeg4", Sound(), 0.0),
        ("b.mkv", "mpeg4", Sound(), 0.0),
        ("c.mov", "mpeg4", Sound("pcm_s16le"), 0.0),
        ("d.avi", "mpeg4", Sound("pcm_s16le", 48_000), 0.0),
        ("e.mpg", "mpeg1video", Sound("mp2"), 0.0),
        ("f.mpg", "mpeg2video", Sound("mp2"), 0.0),
        ("g.ts", "libx264", Sound(), 0.0),
        ("h.webm", "libvpx", Sound("libopus", 48_000), 0.0),
        ("i.flv", "flv", Sound("libmp3lame"), 0.0),
        ("j.mp4", "libx264", Sound("libmp3lame"), 0.0),
        ("k.mp4", "mpeg4", Sound(start_s=0.5), 0.0),
        ("l.mkv", "mpeg4", Sound(start_s=0.5), 0.0),
        ("m.ts", "mpeg2video", Sound(start_s=0.5), 0.0),
        ("n.mp4", "mpeg4", Sound(), 0.4),
        ("o.mkv", "mpeg4", Sound(), 0.4),
        ("p.ts", "mpeg2video", Sound(), 0.4),
        ("q.3gp", "mpeg4", Sound(rate=8000, layout="mono"), 0.0),
        ("r.mp4", "mpeg4", Sound(rate=48_000, layout="5.1"), 0.0),
        ("s.mkv", "mpeg4", Sound("flac", 96_000), 0.0),
        ("t.mp4", "mpeg4", Sound(rate=22_050, layout="mono"), 0.0),
    ],
)
def test_each_flash_is_heard_within_ten_milliseconds(tmp_path, name, codec, sound, video_start_s):
    clicks = [video_start_s + flash / 25 for flash in FLASHES]
    media = write_video(
        tmp_path / name,
        codec,
        size=(352, 288) if name.endswith("mpg") else (96, 64),
        start_s=video_start_s,
        sound=sound,
        clicks_s=clicks,
    )
    heard = onsets_s(hear(media))
    seen = [f.time_s for f in iter_frames(media) if f.image.mean() > 150]
    assert len(seen) == len(FLASHES)
    np.testing.assert_allclose(heard, seen, atol=0.010)


FILM = Fraction(24_000, 1001)
VARIABLE = [k * 40 + (k * k * 7) % 31 for k in range(100)]  # ms, steps of 9 to 71


@pytest.mark.parametrize(
    ("name", "codec", "sound", "video"),
    [
        ("hevc.mp4", "libx265", Sound(), {}),
        ("hevc_10bit.mkv", "libx265", Sound("ac3", 48_000), {"pixels": "yuv420p10le"}),
        ("av1.mkv", "libsvtav1", Sound("libopus", 48_000), {"options": {"preset": "12"}}),
        ("vp9.webm", "libvpx-vp9", Sound("libopus", 48_000), {"options": {"deadline": "realtime"}}),
        ("prores_10bit.mov", "prores_ks", Sound("pcm_s24le", 48_000), {"pixels": "yuv422p10le"}),
        ("reordered.mp4", "libx264", Sound(), {"options": {"bf": "3"}}),
        ("reordered.ts", "libx264", Sound("ac3", 48_000), {"options": {"bf": "3"}}),
        (
            "interlaced.mpg",
            "mpeg2video",
            Sound("mp2", 48_000),
            {"options": {"flags": "+ildct+ilme"}},
        ),
        ("interlaced.ts", "mpeg2video", Sound("mp2"), {"options": {"flags": "+ildct+ilme"}}),
        ("disc.vob", "mpeg2video", Sound("ac3", 48_000), {"options": {"flags": "+ildct+ilme"}}),
        ("old.wmv", "wmv2", Sound("libmp3lame"), {}),
        ("film.mp4", "libx264", Sound(rate=48_000), {"rate": FILM}),
        ("film.mkv", "libx264", Sound(), {"rate": FILM}),
        ("ntsc.mp4", "libx264", Sound(), {"rate": Fraction(30_000, 1001)}),
        ("ntsc.mpg", "mpeg2video", Sound("mp2", 48_000), {"rate": Fraction(30_000, 1001)}),
        ("variable.mp4", "libx264", Sound(), {"stamps": VARIABLE, "tick": Fraction(1, 1000)}),
        ("variable.mkv", "libx264", Sound(), {"stamps": VARIABLE, "tick": Fraction(1, 1000)}),
        (
            "variable.webm",
            "libvpx",
            Sound("libopus", 48_000),
            {"stamps": VARIABLE, "tick": Fraction(1, 1000)},
        ),
        ("phone.mp4", "libx264", Sound(), {"rotation": 90}),
        (
            "phone.mov",
            "libx265",
            Sound(),
            {"rotation": -90, "stamps": VARIABLE, "tick": Fraction(1, 1000)},
        ),
        ("odd.mkv", "ffv1", Sound("flac"), {"size": (97, 63)}),
        ("late_sound.mov", "libx264", Sound(start_s=0.5), {"options": {"bf": "3"}}),
        ("late_sound.flv", "flv", Sound("libmp3lame", start_s=0.5), {}),
        ("late_sound.webm", "libvpx", Sound("libopus", 48_000, start_s=0.5), {}),
        ("late_video.mov", "libx264", Sound(), {"start_s": 0.4, "options": {"bf": "3"}}),
        ("late_video.webm", "libvpx", Sound("libopus", 48_000), {"start_s": 0.4}),
        ("late_video.flv", "flv", Sound("libmp3lame"), {"start_s": 0.4}),
        ("long_sound.mp4", "mpeg4", Sound(length_s=7.0), {}),
        ("surround.mkv", "mpeg4", Sound("ac3", 48_000, "5.1(side)"), {}),
        ("surround.mov", "libx264", Sound("pcm_s16le", 96_000, "5.1"), {}),
        ("lossless.m4v", "mpeg4", Sound("alac", 96_000), {}),
        ("telephone.avi", "mpeg4", Sound("pcm_alaw", 8000, "mono"), {}),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_flash_and_click_agree_in_every_kind_of_file(tmp_path, name, codec, sound, video):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    options |= video.get("options", {})
    rate, tick = video.get("rate", 25), video.get("tick")
    stamps = video.get("stamps", range(100))
    start_s = video.get("start_s", 0.0)
    shown = [float(stamps[k] * (tick or 1 / Fraction(rate))) + start_s for k in FLASHES]
    size = video.get("size", (352, 288) if name.endswith(("mpg", "vob")) else (96, 64))
    clip = {**video, "options": options, "size": size}
    media = write_video(tmp_path / name, codec, sound=sound, clicks_s=shown, **clip)
    seen = [f.time_s for f in iter_frames(media) if f.image.mean() > 150]
    np.testing.assert_allclose(np.diff(seen), np.diff(shown), atol=0.002)
    np.testing.assert_allclose(onsets_s(hear(media)), seen, atol=0.010)


def test_reordered_frames_in_avi_are_shown_when_a_player_shows_them(tmp_path):
    """AVI has no presentation times: a player shows the first picture when the decoder gives it,
    two frames in, and cannot be told to start the sound later. So the sound itself must be late.
    """
    shown = [flash / 25 for flash in FLASHES]
    late = [time_s + 2 / 25 for time_s in shown]
    options, sound = {"bf": "3"}, Sound("pcm_s16le", length_s=5.0)
    path = tmp_path / "a.avi"
    media = write_video(path, "libx264", options=options, sound=sound, clicks_s=late)
    seen = [f.time_s for f in iter_frames(media) if f.image.mean() > 150]
    np.testing.assert_allclose(seen, shown, atol=1e-9)
    np.testing.assert_allclose(onsets_s(hear(media)), seen, atol=0.010)


def test_sound_that_ends_early_is_heard_until_its_end(tmp_path):
    clicks = [flash / 25 for flash in FLASHES]
    sound = Sound(length_s=1.0)
    media = write_video(tmp_path / "a.mp4", "libx264", sound=sound, clicks_s=clicks)
    heard = hear(media)
    np.testing.assert_allclose(onsets_s(heard), clicks[:1], atol=0.010)
    assert len(heard) == pytest.approx(SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)


def avi_that_lies(path):
    overwrite(path, b"avih", 4, struct.pack("<I", 1_000_000))  # microseconds a frame
    overwrite(path, b"avih", 20, struct.pack("<I", 7))  # frames
    overwrite(path, b"strh", 36, struct.pack("<I", 9))  # length of a stream


def mp4_that_lies(path):
    for box in (b"mvhd", b"mdhd"):
        overwrite(path, box, 16, struct.pack(">I", 77))  # duration
    overwrite(path, b"tkhd", 20, struct.pack(">I", 1))


def mkv_that_lies(path):
    overwrite(path, b"\x44\x89\x88", 0, struct.pack(">d", 1e9))  # duration, ms
    overwrite(path, b"\x23\xe3\x83\x84", 0, struct.pack(">I", 5_000_000))  # ns a frame


def flv_that_lies(path):
    for key in (b"duration", b"framerate"):
        overwrite(path, key, 1, struct.pack(">d", 3.0))


@pytest.mark.parametrize(
    ("name", "codec", "sound", "lie"),
    [
        ("a.avi", "mpeg4", Sound("pcm_s16le"), avi_that_lies),
        ("a.mp4", "libx264", Sound(), mp4_that_lies),
        ("a.mov", "mpeg4", Sound("pcm_s16le"), mp4_that_lies),
        ("a.mkv", "libx264", Sound(), mkv_that_lies),
        ("a.flv", "flv", Sound("libmp3lame"), flv_that_lies),
    ],
)
def test_a_header_that_lies_about_rate_and_length_changes_nothing(
    tmp_path, name, codec, sound, lie
):
    clicks = [flash / 25 for flash in FLASHES]
    media = write_video(tmp_path / name, codec, sound=sound, clicks_s=clicks)
    before = hear(media)
    true_times = [f.time_s for f in iter_frames(media)]
    lie(media)
    heard = hear(media)
    frames = list(iter_frames(media))
    np.testing.assert_allclose([f.time_s for f in frames], true_times, atol=1e-9)
    np.testing.assert_allclose(true_times, np.arange(100) / 25, atol=6e-4)
    seen = [f.time_s for f in frames if f.image.mean() > 150]
    np.testing.assert_allclose(onsets_s(heard), seen, atol=0.010)
    assert abs(len(heard) - len(before)) < 0.05 * SAMPLE_RATE


@pytest.mark.parametrize("length", [0, 100, 2**32 - 1])
def test_a_recording_whose_header_was_never_finished(tmp_path, length):
    """A recorder that was switched off leaves a length of 0, or the largest."""
    path = write_sound(tmp_path / "a.wav", [(0.0, np.full(20_000, 9000))], 8000, "pcm_s16le")
    overwrite(path, b"data", 0, struct.pack("<I", length))
    overwrite(path, b"RIFF", 0, struct.pack("<I", length))
    extract_audio(path, tmp_path / "out.wav", clock=None)
    heard = len(read(tmp_path / "out.wav")) / SAMPLE_RATE
    assert heard == pytest.approx(2.5 if length != 100 else 100 / 2 / 8000, abs=0.002)


def write_sound(path: Path, blocks: list[tuple[float, np.ndarray]], rate: int, codec: str) -> Path:
    """Blocks of mono 16-bit samples, each at its time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for start_s, samples in blocks:
            frame = av.AudioFrame.from_ndarray(samples[None].astype(np.int16), layout="mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start_s * rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 48_000, 96_000])
def test_tone_keeps_place_length_and_level(tmp_path, rate):
    times = np.arange(2 * rate) / rate
    tone = 16_384 * np.sin(2 * np.pi * 440 * times)
    path = write_sound(tmp_path / "a.wav", [(0.0, tone)], rate, "pcm_s16le")
    extract_audio(path, tmp_path / "out.wav", clock=None)
    heard = read(tmp_path / "out.wav")
    assert abs(len(heard) - 2 * SAMPLE_RATE) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(heard)) / SAMPLE_RATE)
    inner = slice(200, -200)
    np.testing.assert_allclose(heard[inner], expected[inner], atol=0.01)


def test_what_needs_no_resampling_is_kept_to_the_bit(tmp_path):
    samples = np.random.default_rng(0).integers(-30_000, 30_000, 20_000).astype(np.int16)
    path = write_sound(tmp_path / "a.wav", [(0.0, samples)], SAMPLE_RATE, "pcm_s16le")
    extract_audio(path, tmp_path / "out.wav", clock=None)
    np.testing.assert_array_equal(read(tmp_path / "out.wav"), samples.astype(np.float32) / 32768)


def test_gap_in_the_timestamps_becomes_silence(tmp_path):
    second = np.full(8000, 10_000)
    blocks = [(0.0, second), (2.5, second), (3.5, second)]
    path = write_sound(tmp_path / "a.mkv", blocks, 8000, "pcm_s16le")
    extract_audio(path, tmp_path / "out.wav", clock=None)
    heard = read(tmp_path / "out.wav")
    assert len(heard) == pytest.approx(4.5 * SAMPLE_RATE, abs=0.01 * SAMPLE_RATE)
    assert np.abs(heard[round(1.02 * SAMPLE_RATE) : round(2.48 * SAMPLE_RATE)]).max() < 0.01
    assert heard[round(2.52 * SAMPLE_RATE)] == pytest.approx(10_000 / 32_768, abs=0.01)


def test_overlapping_timestamps_are_cut(tmp_path):
    second = np.full(8000, 10_000)
    path = write_sound(tmp_path / "a.mkv", [(0.0, second), (0.7, second)], 8000, "pcm_s16le")
    extract_audio(path, tmp_path / "out.wav", clock=None)
    assert len(read(tmp_path / "out.wav")) == pytest.approx(1.7 * SAMPLE_RATE, abs=200)


def test_absurd_gap_fails_the_sample(tmp_path):
    second = np.full(8000, 10_000)
    path = write_sound(tmp_path / "a.mkv", [(0.0, second), (9000.0, second)], 8000, "pcm_s16le")
    with pytest.raises(SampleError, match="jump"):
        extract_audio(path, tmp_path / "out.wav", clock=None)
    assert not (tmp_path / "out.wav").exists()


def test_no_audio_stream(tmp_path):
    media = write_video(tmp_path / "a.mp4", frames=3)
    with pytest.raises(ModalityAbsent):
        hear(media)
    assert not (tmp_path / "sound.wav").exists()


def test_sound_that_ends_before_the_first_frame_is_absent(tmp_path):
    media = write_video(tmp_path / "a.mkv", frames=10, start_s=2.0, sound=Sound("pcm_s16le"))
    with pytest.raises(ModalityAbsent, match="before"):
        hear(media)


def test_a_track_of_digital_silence_counts_as_none(tmp_path):
    media = write_video(tmp_path / "a.mp4", frames=50, sound=Sound())
    with pytest.raises(ModalityAbsent, match="digital silence"):
        hear(media)
    assert not (tmp_path / "sound.wav").exists()


@pytest.mark.parametrize(("peak", "absent"), [(0, True), (1, True), (2, False)])
def test_dither_is_silence_and_the_faintest_sound_is_not(tmp_path, peak, absent):
    samples = peak * np.resize([1, -1, 0, 0, 0], 20_000)
    path = write_sound(tmp_path / "a.wav", [(0.0, samples)], SAMPLE_RATE, "pcm_s16le")
    if absent:
        with pytest.raises(ModalityAbsent, match="digital silence"):
            extract_audio(path, tmp_path / "out.wav", clock=None)
    else:
        extract_audio(path, tmp_path / "out.wav", clock=None)
        assert len(read(tmp_path / "out.wav")) == 20_000


def test_blocks_of_any_size_are_the_same_sound(tmp_path):
    samples = np.random.default_rng(0).integers(-30_000, 30_000, 1000).astype(np.int16)
    path = write_sound(tmp_path / "a.wav", [(0.0, samples)], SAMPLE_RATE, "pcm_s16le")
    extract_audio(path, tmp_path / "out.wav", clock=None)
    blocks = list(read_blocks(tmp_path / "out.wav", 300))
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), read(tmp_path / "out.wav", 1))


@pytest.fixture(scope="module")
def late_clip() -> Path:
    media = MEDIA / "face_then_none_vfr_late_audio.mov"
    if not media.is_file():
        pytest.skip("the real clips do not lie beside this checkout, in ../shared/media")
    return media


def test_late_sound_is_preceded_by_silence(tmp_path, late_clip):
    extract_frames(late_clip, tmp_path / "timeline.parquet", {})
    extract_audio(late_clip, tmp_path / "sound.wav", clock=tmp_path / "timeline.parquet")
    sound = read(tmp_path / "sound.wav")
    assert not sound[: round(2.42 * SAMPLE_RATE)].any()
    # the header: 107,164 + 176,128 samples of 44.1 kHz, the encoder's padding apart
    assert len(sound) / SAMPLE_RATE == pytest.approx((107_164 + 176_128) / 44_100, abs=0.1)


ADVICE = re.compile(r"`ffmpeg -i FILE (.*) NEW_FILE`")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg command is not installed")
@pytest.mark.parametrize("wrong", ["gap", "slow", "channels"])
def test_the_advice_in_the_message_works(tmp_path, wrong):
    path, second = tmp_path / "a.mka", np.full(8000, 9000)
    if wrong == "gap":
        write_sound(path, [(0.0, second), (9000.0, second)], 8000, "pcm_s16le")
    elif wrong == "slow":
        write_sound(path, [(0.0, second)], 1000, "pcm_s16le")
    else:
        path = tmp_path / "a.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(9)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.full(9 * 8000, 9000, "<i2").tobytes())
    with pytest.raises(SampleError) as caught:
        extract_audio(path, tmp_path / "out.wav", clock=None)
    assert not (tmp_path / "out.wav").exists()
    better = tmp_path / "better.wav"
    options = shlex.split(ADVICE.search(str(caught.value))[1])
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, *options, better], check=True)
    extract_audio(better, tmp_path / "out.wav", clock=None)
    assert len(read(tmp_path / "out.wav")) >= 0.9 * SAMPLE_RATE


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg command is not installed")
@pytest.mark.parametrize(("rate", "flashes"), [(25, (60, 90)), (5, (20, 28))])
@pytest.mark.parametrize("start_s", [0.5, 1.05, 1.31, 2.0])
def test_a_film_cut_between_two_frames_stays_in_step(tmp_path, monkeypatch, rate, flashes, start_s):
    """A stream copy begins at a key frame and says in an edit list what is not to be shown."""
    monkeypatch.setattr("clips.FLASHES", flashes)
    clicks = [flash / rate for flash in flashes]
    options = {"bf": "2", "g": "10"}
    film = write_video(
        tmp_path / "a.mp4",
        "libx264",
        frames=120,
        rate=rate,
        options=options,
        sound=Sound(),
        clicks_s=clicks,
    )
    cut = tmp_path / "cut.mp4"
    command = ["ffmpeg", "-v", "error", "-ss", str(start_s), "-i", film, "-c", "copy", cut]
    subprocess.run(command, check=True)
    seen = [f.time_s for f in iter_frames(cut) if f.image.mean() > 150]
    assert len(seen) == len(flashes)
    np.testing.assert_allclose(onsets_s(hear(cut)), seen, atol=0.010)


@pytest.mark.parametrize("media_time", [0, 512, 1500, 2048])
def test_an_edit_that_starts_before_the_first_frame_stays_in_step(tmp_path, media_time):
    """The edit's start, in units of 1/12800 s; the first frame's own time is 1024."""
    clicks = [flash / 25 + (1024 - media_time) / 12_800 for flash in FLASHES]
    film = write_video(
        tmp_path / "a.mp4", "libx264", options={"bf": "2"}, sound=Sound(), clicks_s=clicks
    )
    content = film.read_bytes()
    place = content.index(b"elst") + 16
    assert struct.unpack_from(">i", content, place)[0] == 1024
    film.write_bytes(content[:place] + struct.pack(">i", media_time) + content[place + 4 :])
    seen = [f.time_s for f in iter_frames(film) if f.image.mean() > 150]
    np.testing.assert_allclose(onsets_s(hear(film)), seen, atol=0.010)
