"""Files of every damaged or odd kind, as the tests of bad input use them."""

import struct
import wave as wave_format
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from clips import Sound, damage, noise, write_video

FRAMES = 12


def write_clip(path: Path, codec: str = "mpeg4", **options) -> Path:
    options = {"frames": FRAMES, "picture": noise, "sound": Sound(), "clicks_s": (0.1,), **options}
    return write_video(path, codec, **options)


def cut_file(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * share)])


def write_motion_jpeg(path: Path) -> Path:
    return write_clip(path, "mjpeg", pixels="yuvj420p", sound=None)


def write_truncated(path: Path) -> None:
    write_clip(path)
    cut_file(path, 0.5)


def write_cut_film(path: Path) -> None:
    whole = write_motion_jpeg(path.with_suffix(".mkv"))
    cut_file(whole, 0.6)
    whole.replace(path)


def damage_everywhere(path: Path) -> None:
    whole = write_motion_jpeg(path.with_name("whole.mkv"))
    damage(whole, path.with_name("broken.mkv"), range(FRAMES)).replace(path)


def damage_the_middle(path: Path) -> None:
    whole = write_motion_jpeg(path.with_name("whole2.mkv"))
    damage(whole, path.with_name("broken2.mkv"), [5, 6]).replace(path)


def change_size_midway(path: Path) -> None:
    sizes = ((96, 64), (160, 128))
    parts = [
        write_clip(path.with_name(f"part{k}.ts"), "mpeg2video", size=size, sound=None)
        for k, size in enumerate(sizes)
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))


def write_zip(path: Path) -> None:
    source = write_clip(path.with_name("inside.mp4"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, "a.mp4")


def write_wave(path: Path, samples: int) -> None:
    with wave_format.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.full(samples, 5000, "<i2").tobytes())


def write_wave_header(path: Path, channels: int, rate: int, samples: int, announced: int) -> None:
    """A WAV of any header, 16 bits, whose sound is no silence."""
    size = 2 * channels
    content = struct.pack("<HHIIHH", 1, channels, rate, rate * size % 2**32, size, 16)
    head = b"RIFF" + struct.pack("<I", announced) + b"WAVEfmt " + struct.pack("<I", 16) + content
    sound = np.full(samples * channels, 5000, "<i2").tobytes()
    path.write_bytes(head + b"data" + struct.pack("<I", announced) + sound)


def write_huge_picture(path: Path) -> None:
    """A few bytes that unpack to more pixels than any film has."""
    side = 20_000
    rows = zlib.compress(bytes(1 + side) * side, 9)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", rows)]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in [*chunks, (b"IEND", b"")]:
        checked = name + data
        content += struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
    path.write_bytes(content)


def write_many_gaps(path: Path) -> None:
    """Blocks of sound with pauses of 50 minutes: hours of silence out of some kilobytes."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.full((1, 800), 5000, np.int16), layout="mono")
            frame.sample_rate, frame.time_base = 8000, Fraction(1, 8000)
            frame.pts = number * 3000 * 8000
            container.mux(stream.encode(frame))


def write_leaping_picture(path: Path) -> None:
    """A film whose last frames are shown a year later."""
    year = 365 * 86_400 * 25
    stamps = [*range(FRAMES - 2), year, year + 1]
    write_clip(path.with_suffix(".mkv"), "ffv1", stamps=stamps, sound=None).replace(path)


def replace_sound_by_noise(path: Path) -> None:
    """A good picture; every packet of sound replaced by noise."""
    source = write_clip(path.with_name("good.mkv"), sound=Sound("flac"))
    rng = np.random.default_rng(2)
    with av.open(str(source)) as reader, av.open(str(path), "w", format="matroska") as writer:
        copies = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if not packet.size:
                continue
            kind = packet.stream.type
            if kind == "audio":
                replaced = av.Packet(rng.bytes(packet.size))
                replaced.pts, replaced.dts, replaced.time_base = (
                    *(packet.pts, packet.dts, packet.time_base),
                )
                replaced.stream = copies[packet.stream.index]
                writer.mux(replaced)
            else:
                packet.stream = copies[packet.stream.index]
                writer.mux(packet)


def write_cover_art(path: Path) -> None:
    """A song: its only picture is the cover."""
    cover = cv2.imencode(".jpg", noise(64, 64, 0))[1].tobytes()
    frame = b"APIC" + struct.pack(">IH", len(cover) + 14, 0)
    frame += b"\0image/jpeg\0\x03\0" + cover
    size = len(frame)
    synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        values = np.full((1, 44_100), 5000, np.int16)
        sound = av.AudioFrame.from_ndarray(values, format="s16p", layout="mono")
        sound.sample_rate = 44_100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    song = path.read_bytes()
    path.write_bytes(b"ID3\x03\0\0" + synchsafe + frame + song[song.index(b"\xff\xfb") :])


def write_picture(path: Path, suffix: str) -> None:
    path.write_bytes(cv2.imencode(suffix, noise(64, 96, 0))[1].tobytes())


def write_crops(folder: Path, write: Callable[[Path], object]) -> None:
    folder.mkdir()
    good = cv2.imencode(".jpg", np.full((112, 112, 3), 90, np.uint8))[1].tobytes()
    (folder / "00001.jpg").write_bytes(good)
    write(folder / "00002.jpg")


def write_unknown_codec(path: Path, codec: bytes) -> None:
    """A format that nobody decodes."""
    write_clip(path.with_suffix(".mkv"), sound=Sound("mp2")).replace(path)
    content = path.read_bytes()
    assert codec in content
    path.write_bytes(content.replace(codec, codec[:-2] + b"99"))


def write_leaping_sound(path: Path) -> None:
    """Two seconds of sound, the second a day after the first."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for start in (0, 86_400 * 8000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 5000, np.int16), layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), start
            container.mux(stream.encode(frame))
