"""Video as people have it: one decode loop gives the timeline and the pictures.

Every reader of a video goes through one loop, so that frame ``k`` is the same picture in every
stage. Times are presentation timestamps, never ``frame / rate``:

- time 0 is the first frame that decodes; packets before it (an open group of pictures at a cut)
  belong to no frame;
- a frame that fails to decode keeps its number and its time, with no picture;
- a missing timestamp is the one before plus the nominal frame duration;
- a timestamp that does not increase becomes the one before plus 1 ms; a jump back of more than a
  second (joined recordings) shifts everything after it, to go on one nominal duration later.

Pictures are as a player shows them: turned and mirrored by the display matrix, with square
pixels. Interlaced video is not deinterlaced: its two fields are one frame.
"""

import heapq
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.frame import VideoFrame as AvFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from circumplex.errors import ModalityAbsent, SampleError

LOG = logging.getLogger(__name__)
DECODER_THREADS = 2
SMALLEST_STEP_S = 0.001
JUMP_BACK_S = 1.0
NOMINAL_RATE = 25.0
LONGEST_GAP_S = 3600.0
ENOUGH_BYTES = 1 << 28
PICTURES_THAT_ARE_NO_VIDEO = (
    Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
)


@dataclass(frozen=True)
class VideoFrame:
    """A picture of the video.

    Attributes:
        frame: number, from 0; numbers of frames that failed to decode are skipped.
        time_s: seconds since the first frame.
        image: (height, width, 3) uint8, RGB, as a player shows it.
    """

    frame: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class FailedFrame:
    """A frame that failed to decode: it has its number and its time, but no picture."""

    frame: int
    time_s: float


@dataclass(frozen=True)
class VideoFacts:
    """What the first frame and the header say; kept in the timeline's metadata as ``video``.

    Attributes:
        width, height: pixels of the first picture as shown.
        rotation: degrees counter-clockwise by which the stored picture is turned.
        container_start_s: earliest timestamp of any stream, on the container's clock.
        video_start_s: presentation time of frame 0, on the container's clock.
        average_rate: frames a second by the header, which may lie; nothing is computed from it
            where timestamps are there.
        codec: name of the decoder.
    """

    width: int
    height: int
    rotation: int
    container_start_s: float
    video_start_s: float
    average_rate: float
    codec: str


@dataclass(frozen=True)
class _Decoded:
    """One frame of the timeline; ``picture`` is absent where it failed to decode."""

    time_s: float
    picture: AvFrame | None


_Matrix = tuple[tuple[float, float], tuple[float, float]]


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Raises:
        SampleError: missing, empty, not a media file, or without any video or audio stream.
    """
    if not path.is_file():
        raise SampleError("the media file is missing: correct its path in the sample sheet")
    if path.stat().st_size == 0:
        raise SampleError("the media file is empty (0 bytes): copy or download it again")
    try:
        # The explicit protocol takes names with a colon or a leading dash as they are, and the
        # whitelist keeps a playlist in disguise from opening the network.
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except FFmpegError as error:
        reraise_out_of_memory(error)
        raise SampleError(
            f"the media file cannot be opened ({error.strerror}): it is cut off, damaged or no "
            "video at all; copy it again, or mend it with `ffmpeg -i FILE -c copy NEW_FILE`"
        ) from error
    with container:
        if not (container.streams.video or container.streams.audio):
            raise SampleError(
                f"the file (format {container.format.name}) holds neither video nor sound: give "
                "a media file"
            )
        yield container


def iter_timeline(video: Path) -> Iterator[VideoFrame | FailedFrame]:
    """Every frame of the video in order, those that failed to decode included.

    Raises:
        SampleError: unreadable file, or no frame decodes.
        ModalityAbsent: the file has no video stream.
    """
    with open_media(video) as container:
        stream = select_video_stream(container)
        display = Display(stream)
        for frame, item in enumerate(decode_pictures(container, stream)):
            if item.picture is None:
                yield FailedFrame(frame, item.time_s)
            else:
                yield VideoFrame(frame, item.time_s, display.image(item.picture))


def iter_frames(video: Path) -> Iterator[VideoFrame]:
    """Every readable picture of the video in order, numbered as in the timeline.

    Raises:
        SampleError: unreadable file, or no frame decodes.
        ModalityAbsent: the file has no video stream.
    """
    for item in iter_timeline(video):
        if isinstance(item, VideoFrame):
            yield item


class Display:
    """Turns decoded pictures of a stream into RGB arrays as a player shows them."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._reformatter = VideoReformatter()  # a new one a frame costs more than the conversion
        self._matrices: dict[int, _Matrix | None] = {}

    def image(self, picture: AvFrame) -> NDArray[np.uint8]:
        """Picture with square pixels, turned and mirrored by the display matrix.

        A pixel aspect beyond 5 or under 1/5 is a damaged header and not applied.
        """
        aspect = float(self._stream.sample_aspect_ratio or 1)
        width = round(picture.width * aspect) if 0.2 < aspect < 5 else picture.width
        image = self._reformatter.reformat(picture, width, picture.height, "rgb24").to_ndarray()
        # PyAV's side data and its frame refer to each other: read for every frame, they would
        # hold hundreds of pictures until the garbage collector runs.
        if picture.rotation not in self._matrices:
            self._matrices[picture.rotation] = _display_matrix(picture)
        matrix = self._matrices[picture.rotation]
        if matrix is None:
            return np.asarray(image, dtype=np.uint8)
        (a, b), (c, d) = matrix  # x' = a x + c y, y' = b x + d y
        if abs(a) < abs(b):
            image, (a, d) = image.transpose(1, 0, 2), (c, b)
        if a < 0:
            image = image[:, ::-1]
        if d < 0:
            image = image[::-1]
        return np.ascontiguousarray(image, dtype=np.uint8)


def _display_matrix(picture: AvFrame) -> _Matrix | None:
    """The linear part of the display matrix, or none where the picture is stored upright."""
    container: Any = picture.side_data  # its stub knows motion vectors only
    try:
        side = container[Type.DISPLAYMATRIX]
    except KeyError:
        return None
    a, b, _, c, d = np.frombuffer(bytes(side), dtype="=i4")[:5] / 65536.0
    return (a, b), (c, d)


def select_video_stream(container: InputContainer) -> VideoStream:
    """The first stream of pictures that is a video and not a cover picture.

    Raises:
        ModalityAbsent: there is none.
        SampleError: there is no decoder for it.
    """
    for stream in container.streams.video:
        if not stream.disposition & PICTURES_THAT_ARE_NO_VIDEO:
            check_decodable(stream)
            return stream
    raise ModalityAbsent("the file has no video stream")


def check_decodable(stream: Any) -> None:
    """Refuse a stream in a format that FFmpeg has no decoder for.

    Raises:
        SampleError: there is no decoder.
    """
    if stream.codec_context is None:
        raise SampleError(
            f"nothing here decodes the format of the {stream.type}: convert the file with "
            "`ffmpeg -i FILE NEW_FILE`, or copy it again if it is damaged"
        )


def read_facts(
    container: InputContainer, stream: VideoStream, picture: AvFrame, display: Display
) -> VideoFacts:
    """What the table of a video records of its file."""
    height, width = display.image(picture).shape[:2]
    start = container.start_time
    video_start = seconds(_stamp_of(container)(picture), stream.time_base) or 0.0
    return VideoFacts(
        width=width,
        height=height,
        rotation=picture.rotation,
        container_start_s=video_start if start is None else start / av.time_base,
        video_start_s=video_start,
        average_rate=float(stream.average_rate or 0),
        codec=stream.codec_context.name,
    )


def decode_pictures(container: InputContainer, stream: VideoStream) -> Iterator[_Decoded]:
    """The frames of a stream in presentation order, the failed ones included.

    A packet whose timestamp no decoded frame takes up by the time a later frame comes out has
    failed. That holds for any decoder delay and number of threads, whereas an error surfaces
    some packets late, or not at all.
    """
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = DECODER_THREADS
    nominal = 1.0 / float(stream.average_rate or stream.guessed_rate or NOMINAL_RATE)
    times = _Times(nominal)
    stamp_of = _stamp_of(container)
    awaited: list[int] = []
    errors = 0
    found = False
    for packet in demux(container, stream):
        stamp = stamp_of(packet)
        if stamp is not None and not packet.is_discard and packet.size:
            heapq.heappush(awaited, stamp)
        try:
            pictures = stream.codec_context.decode(packet if packet.size else None)
        except FFmpegError as error:
            reraise_out_of_memory(error)
            errors += 1
            continue
        for picture in pictures:
            stamp = stamp_of(picture)
            lost = _lost_before(awaited, stamp)
            if picture.is_corrupt and not found:
                continue
            for pts in lost if found else []:
                yield _Decoded(times.next(seconds(pts, stream.time_base)), None)
            time_s = times.next(seconds(stamp, stream.time_base))
            found = True
            yield _Decoded(time_s, None if picture.is_corrupt else picture)
    if not found:
        raise SampleError(
            f"no frame of the video decodes ({errors} errors): the file is damaged; copy it "
            "again, or leave the sample out"
        )
    if errors:
        LOG.warning("the decoder reported %d errors", errors)
    for pts in sorted(awaited):
        yield _Decoded(times.next(seconds(pts, stream.time_base)), None)


def demux(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Packets of a stream and the final flush; a file cut off in the middle ends early."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            reraise_out_of_memory(error)
            LOG.warning("reading stopped before the end of the file: %s", error)
            yield Packet()
            return
        if packet is None:
            return
        yield packet


def _stamp_of(container: InputContainer) -> Callable[[Any], int | None]:
    """The timestamp to go by: AVI has none of presentation, what libavformat makes up is wrong
    with B-frames, and its decoding timestamps come out in order.
    """
    return attrgetter("dts" if container.format.name == "avi" else "pts")


def _lost_before(awaited: list[int], pts: int | None) -> list[int]:
    """Take the timestamps up to ``pts`` off the heap; those before it were lost."""
    lost: list[int] = []
    while pts is not None and awaited and awaited[0] <= pts:
        earliest = heapq.heappop(awaited)
        if earliest < pts:
            lost.append(earliest)
    return lost


def seconds(pts: int | None, time_base: Fraction | None) -> float | None:
    """A timestamp in seconds, on the container's clock."""
    return None if pts is None or time_base is None else float(pts * time_base)


class _Times:
    """Strictly increasing times from 0, by the repairs in the module's description."""

    def __init__(self, nominal_s: float) -> None:
        self._nominal_s = nominal_s
        self._shift_s: float | None = None
        self._last_s = 0.0

    def next(self, stamp_s: float | None) -> float:
        if self._shift_s is None:
            self._shift_s = -(stamp_s or 0.0)
            return self._last_s
        if stamp_s is None:
            time_s = self._last_s + self._nominal_s
        else:
            time_s = stamp_s + self._shift_s
            if time_s < self._last_s - JUMP_BACK_S:
                self._shift_s += self._last_s + self._nominal_s - time_s
                time_s = self._last_s + self._nominal_s
        self._last_s = max(time_s, self._last_s + SMALLEST_STEP_S)
        return self._last_s


def jump_message(gap_s: float) -> str:
    """What to say of timestamps of the sound that leave so large a gap."""
    return (
        f"the timestamps of the sound jump by {gap_s:.0f} s: mend them with "
        "`ffmpeg -i FILE -af aresample=async=1 NEW_FILE`"
    )


def reraise_out_of_memory(error: FFmpegError) -> None:
    """A lack of memory is no defect of the input and must fail the job.

    A damaged header that asks for more than any machine has is one: there is memory left then.
    """
    if isinstance(error, MemoryError):
        try:
            bytearray(ENOUGH_BYTES)
        except MemoryError:
            raise error from None
