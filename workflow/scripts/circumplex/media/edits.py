"""MP4 edit lists whose first kept frame lies after the edit's start.

A stream copy that begins between two frames, or a track whose first frame is shown late, has such
an edit: the frame is to be shown some time after the sound of the edit begins. FFmpeg presents the
first kept frame at the edit's very start instead, so that picture and sound are apart by up to the
time between two frames. Without its rewriting of the index (``advanced_editlist=0``), it gives each
frame its place against the start of the edit; the two differ by the time that is lost.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from circumplex.media.streams import OPTIONS

KEPT_AT_FIRST = 32
"""Packets that are looked at to find the first frame in presentation order."""
MOST_PACKETS = 5000
MOST_S = 2.0
"""Largest lateness that is believed where no frame before it is dropped, in seconds."""


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
    most_s = MOST_S if kept.before is None else float((kept.pts - kept.before) * stream.time_base)
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
