"""Decode videos: one loop yields the timeline and the pictures of any video file.

Every reader of a video uses the same loop, so that frame ``k`` is the same picture in every stage.
Times are presentation timestamps, never ``frame / rate``:

- time 0 is the first frame that decodes; packets before it (an open group of pictures at a cut)
  belong to no frame;
- a frame that fails to decode keeps its number and its time, but has no picture;
- a missing timestamp becomes the previous one plus the nominal frame duration;
- a timestamp that does not increase becomes the previous one plus 1 ms; a jump back of more than
  one second (concatenated recordings) shifts all later timestamps, so that the video continues
  after one nominal frame duration.

Pictures are as a player shows them: rotated and mirrored by the display matrix, with square
pixels. Interlaced video is not deinterlaced: its two fields are one frame.
"""

import ctypes
import heapq
import logging
import math
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
from av.video.frame import VideoFrame as AvFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from circumplex.errors import SampleError
from circumplex.io.digests import file_digest
from circumplex.io.files import why_no_file
from circumplex.io.memory import has_run_out
from circumplex.media.images import CODEC, check_rate_of_images, iter_images
from circumplex.media.streams import (
    MOST_PIXELS,
    OPTIONS,
    REFERRING_FORMATS,
    StreamFacts,
    check_size,
    describe_stream,
    find_lateness_s,
    limit_pictures,
    select_stream,
)

LOG = logging.getLogger(__name__)
DECODER_THREADS = 2
SMALLEST_STEP_S = 0.001
JUMP_BACK_S = 1.0
NOMINAL_RATE = 25.0
SMALL = 16  # side of the copy of a picture whose side data are read, in pixels
LONGEST_GAP_S = 3600.0
SLOWEST, FASTEST = 4000, 768_000  # samples of sound per second
LONGEST_S = 24 * 3600.0
"""Length of a recording, in seconds; longer ones are to be cut into samples."""


@dataclass(frozen=True)
class VideoFrame:
    """A decoded frame of the video.

    Attributes:
        frame: frame number, from 0; numbers of frames that failed to decode are skipped.
        time_s: seconds since the first frame.
        image: (height, width, 3) uint8, RGB, as a player shows it.
    """

    frame: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class FailedFrame:
    """A frame that failed to decode: it has a number and a time in seconds, but no picture."""

    frame: int
    time_s: float


@dataclass(frozen=True)
class VideoFacts:
    """Facts from the first frame and the header; the timeline's metadata has them as ``video``.

    Attributes:
        width, height: size of the first picture as shown, in pixels.
        rotation: counter-clockwise rotation of the stored picture, in degrees.
        container_start_s: earliest timestamp of any stream, in seconds on the container's clock.
        video_start_s: presentation time of frame 0, in seconds on the container's clock; where an
            edit list begins between two frames, as `circumplex.media.streams` corrects it.
        average_rate: frames per second as the header states, which may be wrong; it is only used
            where timestamps are missing.
        codec: name of the decoder.
        taken: which video stream was taken, and what the header announces of it.
    """

    width: int
    height: int
    rotation: int
    container_start_s: float
    video_start_s: float
    average_rate: float
    codec: str
    taken: StreamFacts


@dataclass(frozen=True)
class _Decoded:
    """One frame of the timeline; ``picture`` is None if it failed to decode."""

    time_s: float
    picture: AvFrame | None


_Matrix = tuple[tuple[float, float], tuple[float, float]]


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Raises:
        SampleError: the file is missing, no regular file, unreadable, empty, not a media file, or
            has no video or audio stream.
    """
    if (problem := why_no_file(path)) is not None:
        advice = "" if ":" in problem else ": correct its path in the sample sheet"
        raise SampleError(f"the media file {problem}{advice}")
    if path.stat().st_size == 0:
        raise SampleError("the media file is empty (0 bytes): copy or download it again")
    try:
        # With the explicit protocol, names may contain a colon or start with a dash.
        container = av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        reraise_out_of_memory(error)
        raise SampleError(
            f"the media file cannot be opened ({error.strerror}): it is truncated, damaged or not "
            "a video; copy it again, or repair it with `ffmpeg -i FILE -c copy NEW_FILE`"
        ) from error
    with container:
        if container.format.name in REFERRING_FORMATS:
            raise SampleError(
                f"the file (format {container.format.name}) is a list of other files, which are "
                "not read: name a media file in the sample sheet"
            )
        if not (container.streams.video or container.streams.audio):
            raise SampleError(
                f"the file (format {container.format.name}) holds neither video nor sound: name a "
                "media file in the sample sheet"
            )
        yield container


def iter_timeline(
    video: Path, number: int | None = None, image_rate: float | None = None
) -> Iterator[VideoFrame | FailedFrame]:
    """Yield every frame of the video in order, including those that failed to decode.

    Args:
        video: media file, or folder of images.
        number: place among the video streams, if the sheet names one.
        image_rate: frames per second of a folder of images.

    Raises:
        SampleError: the file is unreadable, or no frame decodes.
        ModalityAbsent: the file has no video stream.
    """
    check_rate_of_images(video, image_rate)
    if image_rate is not None:
        for frame, image in enumerate(iter_images(video)):
            time_s = frame / image_rate
            check_length(time_s)
            yield FailedFrame(frame, time_s) if image is None else VideoFrame(frame, time_s, image)
        return
    with open_media(video) as container:
        stream = select_stream(container, video, "video", number)
        display = Display(stream)
        for frame, item in enumerate(decode_pictures(container, stream)):
            if item.picture is None:
                yield FailedFrame(frame, item.time_s)
            else:
                yield VideoFrame(frame, item.time_s, display.image(item.picture))


class Display:
    """Convert decoded pictures of a stream to RGB arrays as a player shows them."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._reformatter = VideoReformatter()  # creating one costs more than a conversion
        self._matrices: dict[int, _Matrix | None] = {}

    def image(self, picture: AvFrame) -> NDArray[np.uint8]:
        """Convert to (height, width, 3) uint8 RGB, with square pixels and the display matrix.

        A pixel aspect ratio above 5 or below 1/5 is a damaged header and is ignored.

        Raises:
            SampleError: the picture as shown is too large.
        """
        aspect = float(self._stream.sample_aspect_ratio or 1)
        width = round(picture.width * aspect) if 0.2 < aspect < 5 else picture.width
        check_size(width, picture.height)
        image = self._reformatter.reformat(picture, width, picture.height, "rgb24").to_ndarray()
        # PyAV's side data and its frame refer to each other: if it were read for every frame,
        # hundreds of pictures would stay in memory until the garbage collector runs.
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
    """The linear part of the display matrix; None if the picture is stored upright.

    PyAV frees the name of a colour profile once with the side data and once with the frame, which
    ends the process at the next garbage collection; and it refuses side data of a kind that it does
    not know, such as EXIF. So side data are read of a small copy; where there is a profile or an
    unknown kind, the copy is never freed. With an unknown kind, only the rotation is known.
    """
    copy = picture.reformat(SMALL, SMALL, "rgb24")
    side: Any = None
    try:
        container: Any = copy.side_data  # its type stub has motion vectors only
        kinds = {data.type for data in container}
        side = container[Type.DISPLAYMATRIX] if Type.DISPLAYMATRIX in kinds else None
        doomed = Type.ICC_PROFILE in kinds
    except ValueError:
        doomed = True
    if doomed:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(copy))
    if side is not None:
        a, b, _, c, d = np.frombuffer(bytes(side), dtype="=i4")[:5] / 65536.0
        return (a, b), (c, d)
    if picture.rotation == 0:
        return None
    angle = math.radians(-picture.rotation)
    a, b = math.cos(angle), math.sin(angle)
    return (a, b), (-b, a)


def read_facts(
    path: Path, container: InputContainer, stream: VideoStream, picture: AvFrame, display: Display
) -> VideoFacts:
    """Read the facts that the timeline records about a video file."""
    height, width = display.image(picture).shape[:2]
    start = container.start_time
    video_start = seconds(_stamp_of(container)(picture), stream.time_base) or 0.0
    video_start += find_lateness_s(path, container, stream)
    return VideoFacts(
        width=width,
        height=height,
        rotation=picture.rotation,
        container_start_s=video_start if start is None else start / av.time_base,
        video_start_s=video_start,
        average_rate=float(stream.average_rate or 0),
        codec=stream.codec_context.name,
        taken=describe_stream(container, path, stream),
    )


def describe_images(height: int, width: int, rate: float) -> VideoFacts:
    """The facts of a folder of images, whose first one has this size in pixels."""
    return VideoFacts(
        width=width,
        height=height,
        rotation=0,
        container_start_s=0.0,
        video_start_s=0.0,
        average_rate=rate,
        codec=CODEC,
        taken=StreamFacts(number=0, of=1, announced_s=None, announced_frames=None),
    )


def decode_pictures(container: InputContainer, stream: VideoStream) -> Iterator[_Decoded]:
    """Decode the frames of a stream in presentation order, including the failed ones.

    A packet has failed if a later frame is output before any frame with the packet's timestamp.
    This holds for any decoder delay and any number of threads, whereas decoders report errors some
    packets late, or not at all.

    Raises:
        SampleError: no frame decodes, pictures are too large, or the timestamps leap.
    """
    limit_pictures(stream)
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = DECODER_THREADS
    nominal = 1.0 / float(stream.average_rate or stream.guessed_rate or NOMINAL_RATE)
    times = _Times(nominal)
    stamp_of = _stamp_of(container)
    awaited: list[int] = []
    errors = 0
    started = False
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
            if picture.is_corrupt and not started:
                continue
            for pts in lost if started else []:
                yield _Decoded(times.next(seconds(pts, stream.time_base)), None)
            time_s = times.next(seconds(stamp, stream.time_base))
            started = True
            yield _Decoded(time_s, None if picture.is_corrupt else picture)
    if not started:
        raise SampleError(
            f"no frame of the video decodes ({errors} errors): the file is damaged, or its "
            f"pictures have more than {MOST_PIXELS:,} pixels; copy it again, make it smaller, or "
            "remove the sample from the sheet"
        )
    if errors:
        LOG.warning("the decoder reported %d errors", errors)
    for pts in sorted(awaited):
        yield _Decoded(times.next(seconds(pts, stream.time_base)), None)


def demux(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream and the final flush; a truncated file ends early.

    Raises:
        OSError: the disk does not give the file to its end, which is no truncation.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            reraise_out_of_memory(error)
            file_digest(Path(container.name.removeprefix("file:")))
            LOG.warning("reading stopped before the end of the file: %s", error)
            yield Packet()
            return
        if packet is None:
            return
        yield packet


def _stamp_of(container: InputContainer) -> Callable[[Any], int | None]:
    """Function that gives the trustworthy timestamp of a packet or frame.

    AVI stores no presentation timestamps, and those that libavformat invents are wrong with
    B-frames, so that decoding timestamps are used; they are output in order.
    """
    return attrgetter("dts" if container.format.name == "avi" else "pts")


def _lost_before(awaited: list[int], pts: int | None) -> list[int]:
    """Pop the timestamps up to ``pts`` from the heap; return those before it, which were lost."""
    lost: list[int] = []
    while pts is not None and awaited and awaited[0] <= pts:
        earliest = heapq.heappop(awaited)
        if earliest < pts:
            lost.append(earliest)
    return lost


def seconds(pts: int | None, time_base: Fraction | None) -> float | None:
    """Convert a timestamp to seconds on the container's clock."""
    return None if pts is None or time_base is None else float(pts * time_base)


class _Times:
    """Strictly increasing times from 0, repaired as the module's docstring describes."""

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
        if time_s - self._last_s > LONGEST_GAP_S:
            raise SampleError(describe_jump("picture", time_s - self._last_s))
        self._last_s = max(time_s, self._last_s + SMALLEST_STEP_S)
        check_length(self._last_s)
        return self._last_s


def describe_jump(what: str, gap_s: float) -> str:
    """Error message for gaps of more than an hour in the timestamps of the picture or sound."""
    advice = {
        "picture": "ffmpeg -i FILE -vf setpts=N/FRAME_RATE/TB -af asetpts=N/SR/TB NEW_FILE",
        "sound": "ffmpeg -i FILE -af asetpts=N/SR/TB NEW_FILE",
    }
    return (
        f"the timestamps of the {what} jump by {gap_s:.0f} s, and {LONGEST_GAP_S:.0f} s are the "
        f"most: fix them with `{advice[what]}`"
    )


def check_rate(rate: int) -> None:
    """Check the sampling rate of a sound before memory is taken for it.

    Raises:
        SampleError: it lies outside `SLOWEST` to `FASTEST`.
    """
    if not SLOWEST <= rate <= FASTEST:
        raise SampleError(
            f"the sound has {rate} samples per second, and {SLOWEST} to {FASTEST} are read: its "
            "header is damaged, or convert it with `ffmpeg -i FILE -ar 16000 NEW_FILE`"
        )


def check_length(length_s: float) -> None:
    """Check the length of a recording.

    Raises:
        SampleError: it is longer than `LONGEST_S`.
    """
    if length_s > LONGEST_S:
        raise SampleError(
            f"the recording is longer than {LONGEST_S / 3600:.0f} hours: cut it into parts, such "
            "as `ffmpeg -i FILE -t 12:00:00 -c copy NEW_FILE`, or correct its timestamps"
        )


def reraise_out_of_memory(error: FFmpegError) -> None:
    """Raise the error again if memory has run out, which must fail the job, not the sample.

    A damaged header that requests more memory than any machine has is a defect of the input
    instead: a moderate amount of memory can still be allocated then.
    """
    if isinstance(error, MemoryError) and has_run_out():
        raise error from None
