"""Which media files browsers play.

A file is judged by what it holds, not by its name: container, codecs and pixel format. Its suffix
must not name another kind of file, since browsers that open a page from a folder go by it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from av.container import InputContainer

from circumplex.io.files import is_folder
from circumplex.media.streams import PICTURES_THAT_ARE_NO_VIDEO, find_lateness_s
from circumplex.media.video import open_media

PLAYS = "browsers play the file itself"
"""Reason for which a file has no proxy, where it needs none."""
VIDEO_CODECS: Mapping[str, Sequence[str]] = {
    "mp4": ("h264", "vp9", "av1"),
    "webm": ("vp8", "vp9", "av1"),
}
AUDIO_CODECS: Mapping[str, Sequence[str]] = {
    "mp4": ("aac", "mp3", "opus", "flac"),
    "webm": ("vorbis", "opus"),
    "mp3": ("mp3",),
    "wav": ("pcm_s16le", "pcm_u8"),
    "ogg": ("vorbis", "opus"),
    "flac": ("flac",),
}
SUFFIXES: Mapping[str, Sequence[str]] = {
    "mp4": (".mp4", ".m4v", ".m4a"),
    "webm": (".webm",),
    "mp3": (".mp3",),
    "wav": (".wav",),
    "ogg": (".ogg", ".oga", ".opus"),
    "flac": (".flac",),
}
PIXELS = ("yuv420p", "yuvj420p")
HEADER_BYTES = 64
"""Within which a Matroska file states its type, ``webm`` or ``matroska``."""


def find_obstacle(media: Path) -> str:
    """Why browsers do not play a media file; empty if they do.

    Raises:
        SampleError: the file is unreadable.
    """
    if is_folder(media):
        return "it is a folder of images"
    with open_media(media) as container:
        kind = _kind_of(container, media)
        if kind not in AUDIO_CODECS:
            return f"browsers do not open {kind}"
        pictures = [
            s for s in container.streams.video if not s.disposition & PICTURES_THAT_ARE_NO_VIDEO
        ]
        if max(len(pictures), len(container.streams.audio)) > 1:
            return "the file has several streams, of which browsers may choose another"
        for video in pictures:
            codec, pixels = _codec_of(video), video.codec_context.pix_fmt
            if codec not in VIDEO_CODECS.get(kind, ()):
                return f"browsers do not play video of codec {codec} in {kind}"
            if pixels not in PIXELS:
                return f"browsers do not play {codec} with pixels {pixels}"
            if find_lateness_s(media, container, video):
                return "its edit list begins between two frames, which players show differently"
        for sound in container.streams.audio:
            codec = _codec_of(sound)
            if codec not in AUDIO_CODECS[kind]:
                return f"browsers do not play sound of codec {codec} in {kind}"
        if media.suffix.lower() not in SUFFIXES[kind]:
            return f"the file is {kind}, which its suffix {media.suffix!r} does not say"
    return ""


def _kind_of(container: InputContainer, media: Path) -> str:
    """Name of the container as browsers distinguish them."""
    name = container.format.name
    if "mp4" in name.split(","):
        # QuickTime's own brand: alike, yet not every browser opens it.
        brand = container.metadata.get("major_brand", "").strip()
        return "QuickTime" if brand == "qt" else "mp4"
    if "webm" in name.split(","):
        with media.open("rb") as file:
            return "webm" if b"webm" in file.read(HEADER_BYTES) else "Matroska"
    return name


def _codec_of(stream: Any) -> str:
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)
