"""Streams of a media file: which one is taken, and how long the file says that it is.

Where a file has several streams of a kind, the one is taken that the ``ffmpeg`` command would take
(``map_auto_video`` and ``map_auto_audio`` of its source): the largest picture, the most channels;
above that, a stream that the file marks as default; above that, one with packets near the start.
The first wins a tie. Streams that cannot be decoded are passed over while there are others. A sheet
may name a stream by its number instead.

An MP4 edit list may begin before its first kept frame: a stream copy that starts between two frames
has one. That frame is to be shown some time after the sound of the edit begins. FFmpeg presents it
at the edit's very start instead, so that picture and sound are apart by up to the time between two
frames. Without FFmpeg's rewriting of the index (``advanced_editlist=0``), each frame has its place
against the start of the edit; the two differ by the time that is lost.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from circumplex.errors import ModalityAbsent, SampleError

LOG = logging.getLogger(__name__)
MOST_PIXELS = 8192 * 4320
"""Of a picture, as stored and as shown; FFmpeg checks it before it allocates one."""
OPTIONS = {"protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}
"""How files are opened. The whitelist keeps a disguised playlist from opening network addresses."""
PICTURES_THAT_ARE_NO_VIDEO = (
    Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
)
WITH_PACKETS, BY_DEFAULT = 100_000_000, 5_000_000
"""Weights of a stream that has packets near the start, and of one that is marked as default."""
PROBED_BYTES, PROBED_S = 5_000_000, 5.0
"""How far streams are looked at, as far as FFmpeg does by default."""
FORMATS_THAT_ANNOUNCE = frozenset(
    {"mov", "matroska", "avi", "flv", "wav", "flac", "aiff", "caf", "mxf"}
)
"""Containers whose header says how long the recording is, and FFmpeg leaves it at that; for others
it is estimated, or fitted to the size of the file."""
MOST_CHUNKS = 1000
"""Parts of a WAV that are looked at to find its sound."""
UNFINISHED_BYTES = 0x7FFF_0000
"""Sizes in a WAV header from which on they say that the recorder did not know."""
KEPT_AT_FIRST = 32
"""Packets that are looked at to find the first frame in presentation order."""
MOST_PACKETS = 5000
MOST_LATE_S = 2.0
"""Largest lateness that is believed where no frame before it is dropped, in seconds."""
TOLERANCE_SHARE, TOLERANCE_S = 0.01, 0.25
"""What may be missing at the end of a stream without a word: the larger of the two."""


@dataclass(frozen=True)
class StreamFacts:
    """Which of a file's streams of a kind was taken, and what the file announces of it.

    Attributes:
        number: place among the streams of its kind, from 0, as FFmpeg counts (``v:0``, ``a:1``).
        of: number of streams of its kind, without cover pictures.
        announced_s: length in seconds by the header; None where it says nothing.
        announced_frames: number of frames by the header; None where it says nothing.
        file_s: length in seconds of the file's longest stream by the header, likewise.
    """

    number: int
    of: int
    announced_s: float | None
    announced_frames: int | None
    file_s: float | None = None


def select_stream(
    container: InputContainer, path: Path, kind: str, number: int | None = None
) -> Any:
    """Select the stream of a kind; see the module.

    Args:
        container: the open file.
        path: of the same file, which is opened again if several streams are to be compared.
        kind: ``video`` or ``audio``.
        number: place among the streams of the kind, from 0, if the sheet names one.

    Raises:
        ModalityAbsent: the file has no such stream, or only cover pictures.
        SampleError: FFmpeg has no decoder for any, or there is no stream of this number.
    """
    streams = _streams(container, kind)
    if number is not None:
        if number >= len(streams):
            raise SampleError(
                f"the sheet asks for {kind} stream {number}, but the file has {len(streams)}, "
                f"numbered from 0: correct {kind}_stream"
            )
        check_decodable(streams[number])
        return streams[number]
    candidates = _candidates(streams)
    if not candidates:
        raise ModalityAbsent(f"the file has no {kind} stream")
    decodable = [stream for stream in candidates if stream.codec_context is not None]
    if not decodable:
        check_decodable(candidates[0])
    if len(decodable) < 2:
        return decodable[0]
    seen, decoded = _probe(path, [stream.index for stream in decodable])
    pool = [stream for stream in decodable if stream.index in decoded] or decodable
    return max(pool, key=lambda stream: _score(stream, stream.index in seen))


def _streams(container: InputContainer, kind: str) -> Sequence[Any]:
    return container.streams.video if kind == "video" else container.streams.audio


def _candidates(streams: Sequence[Any]) -> list[Any]:
    return [stream for stream in streams if not stream.disposition & PICTURES_THAT_ARE_NO_VIDEO]


def _score(stream: Any, has_packets: bool) -> int:
    context = stream.codec_context
    size = context.width * context.height if stream.type == "video" else context.channels
    default = bool(stream.disposition & Disposition.default)
    return int(size) + WITH_PACKETS * has_packets + BY_DEFAULT * default


def _probe(path: Path, indexes: Sequence[int]) -> tuple[set[int], set[int]]:
    """Indexes of the streams that have packets near the start, and of those that decode there."""
    seen: set[int] = set()
    decoded: set[int] = set()
    size = 0
    with av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace") as container:
        streams = [container.streams[index] for index in indexes]
        for stream in streams:
            limit_pictures(stream)
        try:
            for packet in container.demux(streams):
                size += packet.size
                time_s = float((packet.dts or 0) * packet.time_base) if packet.size else 0.0
                if size > PROBED_BYTES or time_s - _start_s(container) > PROBED_S:
                    break
                if packet.size:
                    seen.add(packet.stream.index)
                if packet.stream.index not in decoded and _decodes(packet):
                    decoded.add(packet.stream.index)
                if len(decoded) == len(indexes):
                    break
        except FFmpegError:
            LOG.debug("%s: looking at its streams ended early", path)
    return seen, decoded


def limit_pictures(stream: Any) -> None:
    """Have FFmpeg refuse pictures of a stream that are larger than `MOST_PIXELS`.

    Raises:
        SampleError: all are, by the stream's header.
    """
    if stream.type != "video" or stream.codec_context is None:
        return
    context = stream.codec_context
    check_size(context.width, context.height)
    context.options = {**context.options, "max_pixels": str(MOST_PIXELS)}


def check_size(width: int, height: int) -> None:
    """Check the size of a picture before memory is taken for it.

    Raises:
        SampleError: it has more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise SampleError(
            f"the picture has {width}x{height} pixels, more than the {MOST_PIXELS:,} (8192x4320) "
            "that are read: make it smaller with `ffmpeg -i FILE -vf scale=1920:-2 NEW_FILE`"
        )


def describe_stream(container: InputContainer, path: Path, stream: Any) -> StreamFacts:
    """Which of the streams of its kind a stream is, and what the header announces of it."""
    streams = _streams(container, stream.type)
    frames = stream.frames if stream.type == "video" else 0
    announces = FORMATS_THAT_ANNOUNCE & set(container.format.name.split(","))
    return StreamFacts(
        number=next(k for k, other in enumerate(streams) if other.index == stream.index),
        of=len(_candidates(streams)),
        announced_s=_announced_s(container, path, stream) if announces else None,
        announced_frames=(frames or None) if announces else None,
        file_s=container.duration / av.time_base if announces and container.duration else None,
    )


def _announced_s(container: InputContainer, path: Path, stream: Any) -> float | None:
    if container.format.name == "wav":
        return _wav_announced_s(path)
    if container.format.name == "avi":  # FFmpeg fits the length to the size of the file
        counted = stream.type == "video" and stream.frames and stream.average_rate
        return float(stream.frames / stream.average_rate) if counted else None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    hours, minutes, seconds = _parse_tag(stream.metadata.get("DURATION", ""))
    if length_s := 3600 * hours + 60 * minutes + seconds:
        return length_s
    # The whole file's length is that of its longest stream.
    alone = len(container.streams.video) + len(container.streams.audio) == 1
    return container.duration / av.time_base if alone and container.duration else None


def _wav_announced_s(path: Path) -> float | None:
    """Length by the header of a WAV, whose size FFmpeg replaces by that of the file."""
    rate = 0
    with path.open("rb") as file:
        file.seek(12)
        for _ in range(MOST_CHUNKS):
            if len(head := file.read(8)) < 8:
                break
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                known = rate and 0 < size < UNFINISHED_BYTES
                return size / rate if known else None
            content = file.read(min(size, 16))
            if head[:4] == b"fmt ":
                rate = int.from_bytes(content[8:12], "little")
            file.seek(size - len(content) + size % 2, 1)
    return None


def _parse_tag(text: str) -> tuple[float, float, float]:
    """Hours, minutes and seconds of Matroska's tag ``DURATION``; zeros if it is none."""
    try:
        hours, minutes, seconds = map(float, text.split(":"))
    except ValueError:
        return 0.0, 0.0, 0.0
    return hours, minutes, seconds


def missing_s(facts: StreamFacts, found_s: float, found_frames: int | None = None) -> float:
    """Seconds that a stream lacks of what its header announces; 0 within the tolerance.

    Where the header counts frames too, both must fall short: the last frame may be shown for long.
    """
    if facts.announced_s is None:
        return 0.0
    lack = facts.announced_s - found_s
    tolerated = max(TOLERANCE_S, TOLERANCE_SHARE * facts.announced_s)
    if facts.announced_frames is not None and found_frames is not None:
        whole = found_frames >= (1 - TOLERANCE_SHARE) * facts.announced_frames
        lack = 0.0 if whole else lack
    return lack if lack > tolerated else 0.0


def _start_s(container: InputContainer) -> float:
    return (container.start_time or 0) / av.time_base


def _decodes(packet: Any) -> bool:
    try:
        return bool(packet.stream.codec_context.decode(packet if packet.size else None))
    except FFmpegError:
        return False


def check_decodable(stream: Any) -> None:
    """Check that FFmpeg has a decoder for a stream.

    Raises:
        SampleError: it has none.
    """
    if stream.codec_context is None:
        raise SampleError(
            f"there is no decoder for the format of the {stream.type}: convert the file with "
            "`ffmpeg -i FILE NEW_FILE`, or copy it again if it is damaged"
        )


@dataclass(frozen=True)
class _Kept:
    """The first kept frame, by FFmpeg's rewritten index.

    Attributes:
        pts: its timestamp, in units of the stream.
        place: its place in the file, in bytes.
        before: timestamp of the last dropped frame before it; None if none is dropped.
    """

    pts: int
    place: int
    before: int | None


def find_lateness_s(path: Path, container: Any, stream: Any) -> float:
    """Seconds by which the first kept frame is shown after FFmpeg's time for it; mostly 0.

    Args:
        path: media file.
        container: the same file, open.
        stream: its video stream.
    """
    if "mov" not in container.format.name.split(","):
        return 0.0
    try:
        kept = _find_kept(path, stream.index)
        shown = None if kept is None else _find_pts(path, stream.index, kept)
    except FFmpegError:
        return 0.0  # damaged near its start: the decoder says so
    if kept is None or shown is None:
        return 0.0
    late_s = float((shown - kept.pts) * stream.time_base)
    most_s = (
        MOST_LATE_S if kept.before is None else float((kept.pts - kept.before) * stream.time_base)
    )
    return late_s if 0 < late_s < most_s else 0.0


def _find_kept(path: Path, index: int) -> _Kept | None:
    kept: list[tuple[int, int]] = []
    dropped: list[int] = []
    with av.open(f"file:{path}", options=OPTIONS, metadata_errors="replace") as container:
        for number, packet in enumerate(container.demux(container.streams[index])):
            if packet.pts is None or packet.pos is None or number > MOST_PACKETS:
                break
            if packet.is_discard:
                dropped.append(packet.pts)
            else:
                kept.append((packet.pts, packet.pos))
            if len(kept) == KEPT_AT_FIRST:
                break
    if not kept:
        return None
    pts, place = min(kept)
    return _Kept(pts, place, max((time for time in dropped if time < pts), default=None))


def _find_pts(path: Path, index: int, kept: _Kept) -> int | None:
    """Timestamp of the same frame against the start of its edit."""
    options = {**OPTIONS, "advanced_editlist": "0"}
    with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
        stream = container.streams[index]
        container.seek(kept.pts, stream=stream, backward=True)
        for number, packet in enumerate(container.demux(stream)):
            if packet.pos == kept.place:
                return None if packet.pts is None else int(packet.pts)
            if not packet.size or number > MOST_PACKETS:
                break
    return None
