"""Which files browsers play, and the small copies of those that they do not."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import read_columns
from circumplex.media.playback import PLAYS, find_obstacle
from circumplex.media.proxy import make_proxy, write_proxy
from circumplex.media.timeline import extract_frames
from clips import FLASHES, Sound, write_video
from waves import write_wave

FILES: dict[str, tuple[str, dict[str, Any], str]] = {
    "h264 and aac": ("a.mp4", {"codec": "libx264", "sound": Sound()}, ""),
    "h264 alone": ("a.m4v", {"codec": "libx264"}, ""),
    "webm": ("a.webm", {"codec": "libvpx", "sound": Sound("libopus", 48_000)}, ""),
    "mpeg4": ("a.mp4", {"codec": "mpeg4"}, "video of codec mpeg4 in mp4"),
    "avi": ("a.avi", {"codec": "libx264"}, "do not open avi"),
    "matroska": ("a.mkv", {"codec": "libx264"}, "do not open Matroska"),
    "quicktime": ("a.mov", {"codec": "libx264"}, "do not open QuickTime"),
    "deep": ("a.mp4", {"codec": "libx264", "pixels": "yuv422p"}, "h264 with pixels yuv422p"),
    "sound": ("a.mp4", {"codec": "libx264", "sound": Sound("ac3")}, "sound of codec ac3 in mp4"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_judged_by_what_it_holds(kind: str, tmp_path: Path) -> None:
    name, options, expected = FILES[kind]
    media = write_video(tmp_path / name, frames=10, **options)
    found = find_obstacle(media)
    assert expected in found
    assert bool(found) == bool(expected)


def test_the_suffix_decides_nothing_but_must_not_contradict(tmp_path: Path) -> None:
    media = write_video(tmp_path / "a.avi", frames=10)
    assert "avi" in find_obstacle(media.rename(tmp_path / "a.mp4"))
    good = write_video(tmp_path / "b.mp4", "libx264", frames=10)
    assert "suffix '.mpg'" in find_obstacle(good.rename(tmp_path / "b.mpg"))


def test_a_file_with_two_tracks_of_sound_is_not_left_to_the_browsers_choice(
    tmp_path: Path,
) -> None:
    media = write_video(tmp_path / "one.mp4", "libx264", frames=10, sound=Sound())
    with av.open(str(media)) as source, av.open(str(tmp_path / "two.mp4"), "w") as target:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        copies = {picture: [picture], sound: [sound, sound]}
        streams = {s: [target.add_stream_from_template(c) for c in copies[s]] for s in copies}
        for packet in source.demux():
            for stream in streams[packet.stream]:
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    assert "several streams" in find_obstacle(tmp_path / "two.mp4")


def test_sound_alone_is_judged_too(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", np.zeros(1600, np.float32))
    assert find_obstacle(tmp_path / "a.wav") == ""


def proxy_of(media: Path, folder: Path, height: int = 360) -> tuple[Path, np.ndarray]:
    """The proxy of a file, and its timeline."""
    timeline, output = folder / "timeline.parquet", folder / "out/proxy.mp4"
    extract_frames(media, timeline, {})
    write_proxy(media, timeline, output, height=height)
    assert find_obstacle(output) == ""
    return output, read_columns(timeline, ["time_s"])[0]


def pictures_of(proxy: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times and mean brightness of a proxy's pictures."""
    with av.open(str(proxy)) as container:
        frames = [
            (float(f.time), f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)
        ]
    times, light = zip(*frames, strict=True)
    return np.array(times), np.array(light)


def test_a_proxy_shows_each_frame_at_its_time(tmp_path: Path) -> None:
    stamps = [k + (k > 30) * 11 for k in range(100)]
    media = write_video(tmp_path / "a.mkv", stamps=stamps, start_s=2.0, sound=Sound(start_s=1.5))
    proxy, time_s = proxy_of(media, tmp_path)
    times, light = pictures_of(proxy)
    np.testing.assert_allclose(times, time_s, atol=1e-4)
    assert np.flatnonzero(light > 128).tolist() == list(FLASHES)


def test_a_click_is_heard_when_it_is_seen(tmp_path: Path) -> None:
    sound = Sound(start_s=1.5, length_s=3.0)
    media = write_video(tmp_path / "a.mkv", start_s=0.5, sound=sound, clicks_s=[2.0, 3.0])
    proxy, _ = proxy_of(media, tmp_path)
    with av.open(str(proxy)) as container:
        rate = container.streams.audio[0].rate
        blocks = [(float(b.time), b.to_ndarray()[0]) for b in container.decode(audio=0)]
    start = blocks[0][0]
    signal = np.abs(np.concatenate([block for _, block in blocks]))
    loud = start + np.flatnonzero(signal > 0.3) / rate
    assert loud[0] == pytest.approx(2.0 - 0.5, abs=0.03)
    assert loud[-1] == pytest.approx(3.0 - 0.5, abs=0.03)


def test_a_proxy_is_small(tmp_path: Path) -> None:
    media = write_video(tmp_path / "a.avi", rate=60, frames=120, size=(644, 482))
    proxy, time_s = proxy_of(media, tmp_path, height=120)
    times, _ = pictures_of(proxy)
    assert len(times) == 60
    assert set(np.round(times, 4)) <= set(np.round(time_s, 4))
    with av.open(str(proxy)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (160, 120)


def test_a_turned_picture_is_upright_and_a_small_one_keeps_its_size(tmp_path: Path) -> None:
    media = write_video(tmp_path / "a.mov", "libx264", frames=10, rotation=90)
    proxy, _ = proxy_of(media, tmp_path)
    with av.open(str(proxy)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (64, 96)


def test_a_copy_is_made_where_it_is_needed_or_asked_for(tmp_path: Path) -> None:
    media = write_video(tmp_path / "a.mp4", "libx264", frames=10)
    timeline, output = tmp_path / "timeline.parquet", tmp_path / "proxy.mp4"
    extract_frames(media, timeline, {})
    with pytest.raises(ModalityAbsent, match=PLAYS):
        make_proxy(media, timeline, output, height=360, always=False)
    assert not output.exists()
    make_proxy(media, timeline, output, height=360, always=True)
    assert output.is_file()


def test_a_file_that_cannot_be_copied_fails_no_sample(tmp_path: Path) -> None:
    media = tmp_path / "a.avi"
    media.write_bytes(b"no video")
    with pytest.raises(SampleError):
        find_obstacle(media)
    with pytest.raises(ModalityAbsent, match="no copy could be made: the media file cannot"):
        make_proxy(media, tmp_path / "t.parquet", tmp_path / "p.mp4", height=360, always=False)
