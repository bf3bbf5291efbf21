"""Find the faces of a video: every detection, the subject's track, and aligned crops.

Faces are detected with MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multitask
Cascaded Convolutional Networks"), with facenet-pytorch's networks, weights and box arithmetic. The
cascade around them is reimplemented for speed: facenet-pytorch resizes by an adaptive pooling that
takes longer than its networks. Here OpenCV computes each scale from the previous one, and the
networks run on batches in channels-last order.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.config.faces import AUTO, CropFormat, FaceOptions
from circumplex.faces.appearance import describe_face
from circumplex.faces.detector import UNTRACKED, FaceDetector, Faces
from circumplex.faces.following import NO_FACES, follow_faces, key_frames
from circumplex.faces.shots import ShotCounter
from circumplex.faces.similarity import crop_face
from circumplex.faces.subjects import Subject, Tracker
from circumplex.faces.table import DETECTION, face_schema
from circumplex.io.parquet import TableWriter, frame_schema, iter_batches, read_columns
from circumplex.io.prefetch import prefetch
from circumplex.media.resampling import read_sources
from circumplex.media.video import FailedFrame, VideoFrame, iter_timeline

LOG = logging.getLogger(__name__)
ROWS_AT_ONCE = 256
BATCH_PIXELS = 16 * 640 * 360
"""Pixels of the frames detected at once: the batch shrinks as frames grow."""
LEAST_FOLLOWED = 13
"""Frames of a batch, at least, under ``detect_every: auto``: two intervals at 30 frames/s."""


def align_faces(
    video: Path,
    output: Path,
    options: FaceOptions,
    subject: Subject,
    metadata: Mapping[str, Any],
    detector: FaceDetector,
    timeline: Path | None = None,
    number: int | None = None,
    image_rate: float | None = None,
) -> None:
    """Write the table of faces (`circumplex.faces.table`) of a video.

    The subject is chosen after the last frame. Until then, detections and crops are kept in a
    temporary table beside the output, so that memory does not grow and nothing is decoded twice.

    Args:
        video: media file.
        output: table to write.
        options: options of detection and of the crops.
        subject: which person of the video is the subject.
        metadata: how the table is made.
        detector: face detector with the same options.
        timeline: the sample's regular timeline; by default all frames are read.
        number: place among the video streams, if the sheet names one.
        image_rate: frames per second of a folder of images.

    Raises:
        SampleError: the file is unreadable, or no frame decodes.
        ModalityAbsent: the file has no video stream.
    """
    tracker = Tracker(subject)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=output.parent) as folder:
        spool = Path(folder) / "detections.parquet"
        columns = [
            pa.field("interpolated", pa.bool_()),
            pa.field("detections", pa.list_(DETECTION)),
            pa.field("tracks", pa.list_(pa.int32())),
            pa.field("crops", pa.list_(pa.binary())),
        ]
        frames = _read_frames(video, timeline, number, image_rate)
        with TableWriter(spool, frame_schema(*columns), {}) as writer:
            for row in _detect(frames, options, tracker, detector):
                writer.write(
                    frame=[row.frame],
                    time_s=[row.time_s],
                    interpolated=[row.interpolated],
                    detections=[_as_dicts(row.faces)],
                    tracks=[row.tracks],
                    crops=[row.crops],
                )
        _write_subject(spool, output, tracker.choose(), metadata)


def _read_frames(
    video: Path, timeline: Path | None, number: int | None, image_rate: float | None
) -> Iterator[VideoFrame | FailedFrame]:
    """Frames of the video, or those that its regular timeline takes."""
    source = None if timeline is None else read_sources(timeline)
    frames = iter_timeline(video, number, image_rate)
    if timeline is None or source is None:
        return frames
    (time_s,) = read_columns(timeline, ["time_s"])
    return select_frames(frames, source, time_s)


def select_frames(
    frames: Iterable[VideoFrame | FailedFrame],
    source: NDArray[np.int32],
    time_s: NDArray[np.floating],
) -> Iterator[VideoFrame | FailedFrame]:
    """Yield the frames of a regular timeline, numbered and timed as it has them.

    Args:
        frames: frames of the video, in order.
        source: (n,) number of the video's frame for each row, not decreasing.
        time_s: (n,) time of each row in seconds.

    Raises:
        ValueError: the video has fewer frames than the timeline takes.
    """
    row = 0
    for frame in frames:
        while row < len(source) and source[row] == frame.frame:
            yield replace(frame, frame=row, time_s=float(time_s[row]))
            row += 1
        if row == len(source):
            return
    raise ValueError(f"the timeline takes frame {source[row]}, which the video lacks")


def _write_subject(
    spool: Path, output: Path, tracks: frozenset[int], metadata: Mapping[str, Any]
) -> None:
    """Write the final table from the temporary one, given the subject's tracks."""
    before: int | None = None
    names = ["frame", "time_s", "interpolated", "detections", "tracks", "crops"]
    with TableWriter(output, face_schema(), metadata) as writer:
        for batch in iter_batches(spool, names, rows=ROWS_AT_ONCE):
            rows = batch.to_pylist()
            chosen = [_find_first(row["tracks"], tracks) for row in rows]
            switches = []
            for row, index in zip(rows, chosen, strict=True):
                track = None if index is None else row["tracks"][index]
                switches.append(None not in (track, before) and track != before)
                before = before if track is None else track
            pairs = list(zip(rows, chosen, strict=True))
            faces = [None if i is None else row["detections"][i] for row, i in pairs]
            writer.write(
                frame=[row["frame"] for row in rows],
                time_s=[row["time_s"] for row in rows],
                valid=[face is not None for face in faces],
                subject_switch=switches,
                interpolated=[row["interpolated"] for row in rows],
                detections=[row["detections"] for row in rows],
                crop=[None if i is None else row["crops"][i] for row, i in pairs],
                **{
                    name: [None if face is None else face[name] for face in faces]
                    for name in ("probability", "box", "landmarks")
                },
            )


def _find_first(tracks: list[int], wanted: frozenset[int]) -> int | None:
    """Position of the first wanted track, None if there is none."""
    return next((i for i, track in enumerate(tracks) if track in wanted), None)


@dataclass(frozen=True)
class _Row:
    """A frame's faces; ``tracks`` and ``crops`` have one entry per face."""

    frame: int
    time_s: float
    faces: Faces
    tracks: list[int]
    crops: list[bytes | None]
    interpolated: bool = False


def _detect(
    timeline: Iterator[VideoFrame | FailedFrame],
    options: FaceOptions,
    tracker: Tracker,
    detector: FaceDetector,
) -> Iterator[_Row]:
    """Yield the rows of all frames in order; the next batch is decoded during detection."""
    shots = ShotCounter()
    for batch in prefetch(_batches(timeline, options), ahead=1):
        pictures = [item for item in batch if isinstance(item, VideoFrame)]
        images, times = [p.image for p in pictures], [p.time_s for p in pictures]
        keys = key_frames(times, options.detect_every)
        detected = dict(
            zip(keys, _detect_in_parts(detector, [images[k] for k in keys]), strict=True)
        )
        between = follow_faces(detector, images, times, detected, options.min_probability)
        rows: dict[int, _Row] = {}
        for k, picture in enumerate(pictures):
            faces = detected[k] if k in detected else between[k]
            row = _follow(picture, faces, tracker, options, shots.count(picture.image))
            rows[picture.frame] = replace(row, interpolated=k not in detected)
        for item in batch:
            yield rows.get(item.frame, _Row(item.frame, item.time_s, NO_FACES, [], []))


def _detect_in_parts(
    detector: FaceDetector, images: Sequence[NDArray[np.uint8]]
) -> Iterator[Faces]:
    """Faces of pictures of one size, of which at most `BATCH_PIXELS` are detected at once."""
    count = _pictures_at_once(images[0].shape) if images else 1
    for start in range(0, len(images), count):
        yield from detector.detect(images[start : start + count])


def _batches(
    timeline: Iterator[VideoFrame | FailedFrame], options: FaceOptions
) -> Iterator[list[VideoFrame | FailedFrame]]:
    """Group consecutive frames of one size into batches of at most `BATCH_PIXELS`.

    A batch has at least one frame, and at least one interval between detections.
    """
    batch: list[VideoFrame | FailedFrame] = []
    shape: tuple[int, ...] | None = None
    pictures = 0
    for item in timeline:
        if isinstance(item, VideoFrame):
            full = shape is not None and pictures >= _batch_size(shape, options)
            if full or (shape is not None and shape != item.image.shape):
                yield batch
                batch, pictures = [], 0
            shape = item.image.shape
            pictures += 1
        batch.append(item)
    yield batch


def _batch_size(shape: tuple[int, ...], options: FaceOptions) -> int:
    """Frames of a batch; twice as many, of which few are detected, where faces are followed."""
    frames, every = _pictures_at_once(shape), options.detect_every
    if every == 1:
        return frames
    return max(2 * frames, LEAST_FOLLOWED if every == AUTO else every + 1)


def _pictures_at_once(shape: tuple[int, ...]) -> int:
    return max(1, BATCH_PIXELS // (shape[0] * shape[1]))


def _follow(
    picture: VideoFrame, faces: Faces, tracker: Tracker, options: FaceOptions, shot: int
) -> _Row:
    """Track and crop the valid faces of a frame."""
    tracks = [UNTRACKED] * len(faces)
    encoded: list[bytes | None] = [None] * len(faces)
    valid = np.flatnonzero(faces.probabilities >= options.min_probability)
    crops = [crop_face(picture.image, faces.landmarks[i]) for i in valid]
    if len(valid):
        appearances = np.stack(
            [
                describe_face(picture.image, crop, faces.boxes[i])
                for i, crop in zip(valid, crops, strict=True)
            ]
        )
        width = picture.image.shape[1]
        assigned = tracker.update(picture.time_s, width, faces.boxes[valid], appearances, shot)
        for i, track, crop in zip(valid, assigned, crops, strict=True):
            tracks[i], encoded[i] = track, _encode(crop, options)
    return _Row(picture.frame, picture.time_s, faces, tracks, encoded)


def _encode(crop: NDArray[np.uint8], options: FaceOptions) -> bytes:
    pixels = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    if options.crop_format is CropFormat.PNG:
        return bytes(cv2.imencode(".png", pixels)[1])
    # Full colour resolution: at 112 pixels, halving it loses more quality than it saves in size.
    settings = [
        *(cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    return bytes(cv2.imencode(".jpg", pixels, settings)[1])


def _as_dicts(faces: Faces) -> list[dict[str, Any]]:
    return [
        {"box": box.tolist(), "landmarks": points.tolist(), "probability": float(probability)}
        for box, points, probability in zip(
            faces.boxes, faces.landmarks, faces.probabilities, strict=True
        )
    ]
