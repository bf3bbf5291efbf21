"""Small copies of videos that every browser plays, on the sample's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame as AvFrame

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.atomic import replacing
from circumplex.media.playback import PLAYS, find_obstacle
from circumplex.media.sound import extract_audio
from circumplex.media.video import VideoFrame, iter_timeline
from circumplex.media.wave import SAMPLE_RATE, read_blocks

MOST_FRAMES_PER_S = 31.0
CLOCK = Fraction(1, 90_000)
"""Unit of a proxy's timestamps in seconds, as usual in video."""
ENCODER = {"preset": "veryfast", "crf": "26", "bf": "0", "g": "60"}
"""Without frames that refer to later ones, whose delay an edit list would have to undo."""
SOUND_BIT_RATE = 48_000
SOUND_BLOCK = 1024
"""Audio samples of a frame of AAC."""


@dataclass(frozen=True)
class Streams:
    """Places of the streams that are taken, among those of their kind; None: the file's default.

    Attributes:
        video, audio: places.
        image_rate: frames per second of a folder of images, which has none.
    """

    video: int | None = None
    audio: int | None = None
    image_rate: float | None = None


DEFAULT_STREAMS = Streams()


def make_proxy(
    media: Path,
    timeline: Path,
    output: Path,
    *,
    height: int,
    always: bool,
    streams: Streams = DEFAULT_STREAMS,
) -> None:
    """Write a small copy of a media file if browsers need one; see `write_proxy`.

    Args:
        media: media file.
        timeline: timeline of the same file, from `extract_frames`.
        output: MP4 file to write.
        height: largest height in pixels.
        always: whether to write one of a file that browsers play, too.
        streams: streams that the sheet names; a browser chooses for itself, so that a choice needs
            a copy.

    Raises:
        ModalityAbsent: browsers play the file itself, or no copy can be made: a sample does not
            fail for that.
    """
    try:
        if not (always or streams != DEFAULT_STREAMS or find_obstacle(media)):
            raise ModalityAbsent(PLAYS)
        write_proxy(media, timeline, output, height=height, streams=streams)
    except SampleError as error:
        raise ModalityAbsent(f"no copy could be made: {error}") from error


def write_proxy(
    media: Path,
    timeline: Path,
    output: Path,
    *,
    height: int,
    streams: Streams = DEFAULT_STREAMS,
) -> None:
    """Write a small MP4 (H.264 and AAC) on the sample's clock, which every browser plays.

    Frame ``k`` is shown at its ``time_s``; of more than about 30 frames per second, some are left
    out. The sound is the mono sound that audio features are made of.

    Args:
        media: media file.
        timeline: timeline of the same file, from `extract_frames`.
        output: MP4 file to write.
        height: largest height in pixels; a lower picture keeps its size.
        streams: streams that the sheet names.

    Raises:
        SampleError: the file is unreadable, or no frame decodes.
        ModalityAbsent: the file has neither picture nor a sound that decodes.
    """
    with TemporaryDirectory() as folder, replacing(output) as temporary:
        sound = _extract_sound(media, timeline, Path(folder, "sound.wav"), streams.audio)
        pictures = _pictures(media, height, streams)
        first = next(pictures, None)
        if first is None and sound is None:
            raise ModalityAbsent("the file has neither picture nor sound")
        options = {"movflags": "+faststart"}
        with av.open(str(temporary), "w", format="mp4", options=options) as container:
            _Proxy(container, first, with_sound=sound is not None).write(pictures, sound)


def _extract_sound(media: Path, timeline: Path, output: Path, number: int | None) -> Path | None:
    try:
        extract_audio(media, output, clock=timeline, number=number)
    except (ModalityAbsent, SampleError):
        return None  # the picture is worth a proxy all the same
    return output


def _pictures(media: Path, height: int, streams: Streams) -> Iterator[AvFrame]:
    """Small pictures of one size, with times in `CLOCK`; none of a file without picture."""
    last_s, size = -1.0, (0, 0)
    try:
        for item in iter_timeline(media, streams.video, streams.image_rate):
            if isinstance(item, VideoFrame) and item.time_s - last_s >= 1 / MOST_FRAMES_PER_S:
                size = size if any(size) else _size_of(item, height)
                last_s = item.time_s
                picture = AvFrame.from_ndarray(item.image, format="rgb24")
                small = picture.reformat(*size, format="yuv420p")
                small.pts, small.time_base = round(item.time_s / CLOCK), CLOCK
                yield small
    except ModalityAbsent:
        return


def _size_of(item: VideoFrame, height: int) -> tuple[int, int]:
    """Width and height of the proxy in pixels, even numbers as H.264 asks."""
    rows, columns = item.image.shape[:2]
    scale = min(height / rows, 1.0)
    width, rows = (max(2 * round(side * scale / 2), 2) for side in (columns, rows))
    return width, rows


class _Proxy:
    """Encode pictures and sound into a container, in the order of their times."""

    def __init__(
        self, container: OutputContainer, first: AvFrame | None, *, with_sound: bool
    ) -> None:
        self._container = container
        self._first = first
        self._video: Any = None
        self._sound: Any = None
        if first is not None:
            self._video = container.add_stream("libx264", rate=30, options=ENCODER)
            self._video.width, self._video.height = first.width, first.height
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.time_base = CLOCK
        if with_sound:
            self._sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            self._sound.bit_rate = SOUND_BIT_RATE

    def write(self, pictures: Iterator[AvFrame], sound: Path | None) -> None:
        """Encode everything, sound just before the picture at its time, and flush."""
        blocks = iter(()) if sound is None else _sound_frames(sound)
        block = next(blocks, None)
        picture = self._first
        while picture is not None or block is not None:
            picture_first = block is None or (
                picture is not None and _time_of(picture) < _time_of(block)
            )
            if picture_first:
                self._container.mux(self._video.encode(picture))
                picture = next(pictures, None)
            else:
                self._container.mux(self._sound.encode(block))
                block = next(blocks, None)
        for stream in (self._video, self._sound):
            if stream is not None:
                self._container.mux(stream.encode(None))


def _time_of(frame: Any) -> Fraction:
    """Time of a picture or a block of sound in seconds."""
    return Fraction(frame.pts * frame.time_base)


def _sound_frames(sound: Path) -> Iterator[AudioFrame]:
    start = 0
    for block in read_blocks(sound, SOUND_BLOCK):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(block[None, :], np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        start += len(block)
        yield frame
