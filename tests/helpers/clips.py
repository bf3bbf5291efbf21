"""Small media files made on the fly, with known pictures, times and sounds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLICK_S = 0.004
FLASHES = (20, 60)


@dataclass(frozen=True)
class Sound:
    codec: str = "aac"
    rate: int = 44_100
    layout: str = "stereo"
    start_s: float = 0.0
    length_s: float | None = None  # by default the video's


def noise(height: int, width: int, frame: int) -> np.ndarray:
    """A dark picture with texture, as unlike its neighbours as film is."""
    base = np.random.default_rng(0).integers(0, 60, (height, width, 3), dtype=np.uint8)
    return np.roll(base, frame, axis=1)


def flashing(height: int, width: int, frame: int) -> np.ndarray:
    """`noise`, and white in the frames of `FLASHES`."""
    picture = noise(height, width, frame)
    return np.full_like(picture, 235) if frame in FLASHES else picture


def write_video(
    path: Path,
    codec: str = "mpeg4",
    *,
    stamps: Sequence[int] | None = None,
    frames: int = 100,
    rate: Fraction | int = 25,
    tick: Fraction | None = None,
    size: tuple[int, int] = (96, 64),
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    picture: Callable[[int, int, int], np.ndarray] = flashing,
    rotation: float | None = None,
    start_s: float = 0.0,
    sound: Sound | None = None,
    clicks_s: Iterable[float] = (),
) -> Path:
    """Encode pictures (and clicks) with PyAV; ``stamps`` are in units of ``tick``."""
    tick = tick or Fraction(1) / Fraction(rate)
    stamps = list(range(frames)) if stamps is None else stamps
    width, height = size
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height, video.pix_fmt = width, height, pixels
        video.codec_context.time_base = tick
        if rotation is not None:
            video.set_display_rotation(rotation)
        queue = []
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(height, width, number), format="rgb24")
            frame.pts, frame.time_base = stamp + round(start_s / tick), tick
            queue.append((float(frame.pts * tick), frame, video))
        if sound is not None:
            audio = container.add_stream(sound.codec, rate=sound.rate, layout=sound.layout)
            length_s = float(stamps[-1] * tick) if sound.length_s is None else sound.length_s
            signal = click_signal(length_s, sound, clicks_s)
            for start in range(0, len(signal), 1024):
                block = np.tile(
                    signal[start : start + 1024, None], audio.codec_context.layout.nb_channels
                )
                frame = av.AudioFrame.from_ndarray(
                    block.reshape(1, -1), format="s16", layout=sound.layout
                )
                frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
                frame.pts = start + round(sound.start_s * sound.rate)
                queue.append((frame.pts / sound.rate, frame, audio))
        for _, frame, stream in sorted(queue, key=lambda item: item[0]):
            container.mux(stream.encode(frame))
        for stream in container.streams:
            container.mux(stream.encode(None))
    return path


def click_signal(length_s: float, sound: Sound, clicks_s: Iterable[float]) -> np.ndarray:
    """Silence with a short tone at each of the times, given on the container's clock."""
    signal = np.zeros(round(length_s * sound.rate), np.int16)
    times = np.arange(round(CLICK_S * sound.rate)) / sound.rate
    tone = (30_000 * np.sin(2 * np.pi * 2000 * times)).astype(np.int16)
    for click in clicks_s:
        first = round((click - sound.start_s) * sound.rate)
        if 0 <= first < len(signal) - len(tone):
            signal[first : first + len(tone)] = tone
    return signal


def damage(source: Path, target: Path, packets: Iterable[int]) -> Path:
    """Copy a file with the content of some video packets replaced by noise."""
    rng = np.random.default_rng(1)
    broken = set(packets)
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in reader.demux(stream) if p.size):
            if number in broken:
                replaced = av.Packet(rng.bytes(packet.size))
                replaced.pts, replaced.dts = packet.pts, packet.dts
                replaced.time_base, replaced.is_keyframe = packet.time_base, packet.is_keyframe
                packet = replaced
            packet.stream = copy
            writer.mux(packet)
    return target


def overwrite(path: Path, after: bytes, skip: int, value: bytes) -> None:
    """Let a header lie: put ``value`` ``skip`` bytes after each occurrence of ``after``."""
    content = bytearray(path.read_bytes())
    place = content.find(after)
    assert place >= 0
    while place >= 0:
        start = place + len(after) + skip
        content[start : start + len(value)] = value
        place = content.find(after, start)
    path.write_bytes(content)
