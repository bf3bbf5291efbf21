"""Pictures of a video, as tests look at them."""

from collections.abc import Iterator
from pathlib import Path

from circumplex.media.video import VideoFrame, iter_timeline


def iter_frames(video: Path) -> Iterator[VideoFrame]:
    """Every decodable frame of the video in order, numbered as in the timeline."""
    return (item for item in iter_timeline(video) if isinstance(item, VideoFrame))
