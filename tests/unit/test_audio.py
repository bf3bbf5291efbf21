from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FLASHES, Sound, write_video

from circumplex.audio import SAMPLE_RATE, extract_audio, read_blocks
from circumplex.errors import ModalityAbsent, SampleError
from circumplex.media import extract_frames, iter_frames


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


def test_silence_stays_silent(tmp_path):
    media = write_video(tmp_path / "a.mp4", frames=50, sound=Sound())
    sound = hear(media)
    assert len(sound) == pytest.approx(49 / 25 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)
    assert not sound.any()


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
    media = Path(__file__).parents[3] / "shared/media/face_then_none_vfr_late_audio.mov"
    if not media.is_file():
        pytest.skip("../shared/media is not there")
    return media


def test_late_sound_is_preceded_by_silence(tmp_path, late_clip):
    extract_frames(late_clip, tmp_path / "timeline.parquet", {})
    extract_audio(late_clip, tmp_path / "sound.wav", clock=tmp_path / "timeline.parquet")
    sound = read(tmp_path / "sound.wav")
    assert not sound[: round(2.42 * SAMPLE_RATE)].any()
    # the header: 107,164 + 176,128 samples of 44.1 kHz, the encoder's padding apart
    assert len(sound) / SAMPLE_RATE == pytest.approx((107_164 + 176_128) / 44_100, abs=0.1)
