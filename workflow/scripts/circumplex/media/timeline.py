"""Write the timeline of a sample: the time of every frame."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
from av.container import InputContainer
from av.error import FFmpegError

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.parquet import TableWriter, describe, frame_schema
from circumplex.media.images import check_rate_of_images
from circumplex.media.streams import StreamFacts, missing_s, select_stream
from circumplex.media.video import (
    LOG,
    LONGEST_GAP_S,
    NOMINAL_RATE,
    Display,
    VideoFrame,
    check_length,
    check_rate,
    decode_pictures,
    demux,
    describe_images,
    describe_jump,
    iter_timeline,
    open_media,
    read_facts,
    reraise_out_of_memory,
    seconds,
)

DECODED = describe("decoded", pa.bool_(), "whether the frame has a picture that decodes")


def write_timeline(frames: int, output: Path, *, fps: float, metadata: Any) -> None:
    """Write the timeline of a sample without video: frames at equal intervals.

    Args:
        frames: number of frames.
        output: Parquet file to write.
        fps: frames per second.
        metadata: metadata to write into the table.

    Raises:
        SampleError: there are no frames.
    """
    if frames < 1:
        raise SampleError("the file has no row, so the sample has no frame: write one per frame")
    frame = np.arange(frames, dtype=np.int32)
    schema = frame_schema(DECODED)
    with TableWriter(output, schema, metadata) as table:
        table.write(frame=frame, time_s=frame / fps, decoded=np.zeros(frames, dtype=bool))


def extract_frames(
    video: Path,
    output: Path,
    metadata: Mapping[str, Any],
    *,
    audio_only_fps: float = NOMINAL_RATE,
    video_stream: int | None = None,
    audio_stream: int | None = None,
    image_rate: float | None = None,
) -> None:
    """Write the timeline of a video: ``frame``, ``time_s``, ``decoded``.

    A file with sound only gets a regular timeline, with ``decoded`` false throughout and no
    ``video`` in its metadata.

    Args:
        video: media file, or folder of images.
        output: table to write.
        metadata: how the table is made; the `VideoFacts` are added under ``video``.
        audio_only_fps: frames per second of the timeline of a file without video.
        video_stream: place of the stream among the video streams, if the sheet names one.
        audio_stream: likewise, of the sound of a file without video.
        image_rate: frames per second of a folder of images.

    Raises:
        SampleError: the file is unreadable, no frame decodes, or the timestamps leap.
    """
    schema = frame_schema(DECODED)
    check_rate_of_images(video, image_rate)
    if image_rate is not None:
        _write_images(video, output, metadata, image_rate)
        return
    with open_media(video) as container:
        try:
            stream = select_stream(container, video, "video", video_stream)
        except ModalityAbsent:
            sound = _select_sound(container, video, audio_stream)
            with TableWriter(output, schema, metadata) as writer:
                times = _audio_only_times(container, sound, audio_only_fps)
                for frame, time_s in enumerate(times):
                    writer.write(frame=[frame], time_s=[time_s], decoded=[False])
            return
        items = decode_pictures(container, stream)
        first = next(items)
        if first.picture is None:
            raise AssertionError("by definition, the first frame decodes")
        display = Display(stream)
        facts = read_facts(video, container, stream, first.picture, display)
        failed = 0
        with TableWriter(output, schema, {**metadata, "video": asdict(facts)}) as writer:
            for frame, item in enumerate(chain([first], items)):
                decoded = item.picture is not None
                failed += not decoded
                writer.write(frame=[frame], time_s=[item.time_s], decoded=[decoded])
        if failed:
            LOG.warning("%d of %d frames failed to decode", failed, writer.rows)
        _report(facts.taken, item.time_s, writer.rows)


def _write_images(folder: Path, output: Path, metadata: Mapping[str, Any], rate: float) -> None:
    frames = [
        (item.frame, item.time_s, item.image.shape[:2] if isinstance(item, VideoFrame) else None)
        for item in iter_timeline(folder, image_rate=rate)
    ]
    sizes = [size for *_, size in frames if size is not None]
    height, width = sizes[0]
    facts = describe_images(height, width, rate)
    with TableWriter(output, frame_schema(DECODED), {**metadata, "video": asdict(facts)}) as table:
        table.write(
            frame=[frame for frame, *_ in frames],
            time_s=[time_s for _, time_s, _ in frames],
            decoded=[size is not None for *_, size in frames],
        )
    if failed := len(frames) - len(sizes):
        LOG.warning("%d of %d images are missing or do not decode", failed, len(frames))


def _report(taken: StreamFacts, last_s: float, frames: int) -> None:
    """Log what the choice of the stream and the announced length say."""
    if taken.of > 1:
        LOG.warning("video stream %d of %d is taken, from 0", taken.number, taken.of)
    length_s = last_s + (last_s / (frames - 1) if frames > 1 else 1 / NOMINAL_RATE)
    if lack := missing_s(taken, length_s, frames):
        LOG.warning(
            "%.1f of the %.1f s that the file announces are missing at the end of the picture: "
            "is it cut off?",
            *(lack, taken.announced_s),
        )


def _select_sound(container: InputContainer, media: Path, number: int | None) -> Any:
    try:
        return select_stream(container, media, "audio", number)
    except ModalityAbsent:
        raise SampleError(
            "the file holds neither video nor sound: name a media file in the sample sheet"
        ) from None


def _audio_only_times(container: InputContainer, stream: Any, rate: float) -> Iterator[float]:
    """Regular times from 0 to the end of the sound, which is decoded since headers may be wrong."""
    frame, end_s, gaps_s = 0, 0.0, 0.0
    start_s: float | None = None
    for packet in demux(container, stream):
        try:
            blocks = stream.codec_context.decode(packet if packet.size else None)
        except FFmpegError as error:
            reraise_out_of_memory(error)
            continue
        for block in blocks:
            stamp_s = seconds(block.pts, block.time_base)
            if stamp_s is not None:
                start_s = stamp_s if start_s is None else start_s
                gaps_s += max(0.0, stamp_s - start_s - end_s)
                if gaps_s > LONGEST_GAP_S:
                    raise SampleError(describe_jump("sound", gaps_s))
                end_s = max(end_s, stamp_s - start_s)
            check_rate(block.sample_rate)
            end_s += block.samples / block.sample_rate
            check_length(end_s)
            while frame / rate < end_s - 1e-9:
                yield frame / rate
                frame += 1
    if frame == 0:
        raise SampleError("no part of the sound decodes: the file is damaged; copy it again")
