"""How fast faces are found, and whether they are the faces that MTCNN finds frame by frame.

    .venv/bin/python benchmarks/faces.py ../shared/media/*.m[okp]*  [--threads 2]

For each clip, in frames a second from the file on: bare decoding; decoding and facenet-pytorch's
MTCNN called frame by frame as its README shows; the work of the rule `align_faces`, which ends with
crops and faces in a table, with the same settings; facenet-pytorch's own batches with our smallest
face; the rule with the shipped defaults. Then the agreement: of the faces of 40 pixels or more that
the loop finds with probability 0.95 or more, the share that the rule's table has with the shipped
defaults with an intersection over union of 0.8 or more, by face and by frame (a frame counts when
all its faces are found). With --cpu, seconds are those of this process on the CPU, which other work
on the machine hardly changes; with one thread they are the wall clock's of a machine at rest.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from facenet_pytorch import MTCNN

from circumplex.config.faces import FaceOptions
from circumplex.faces.align import BATCH_PIXELS, align_faces
from circumplex.faces.detector import FaceDetector
from circumplex.faces.subjects import Subject, intersection_over_union
from circumplex.media.video import VideoFrame, iter_timeline

LOOP_FACE_SIZE = 20
SURE, SMALLEST, OVERLAP = 0.95, 40.0, 0.8


def timed(clock: Callable[[], float], work: Callable[[], Any]) -> tuple[float, Any]:
    start = clock()
    result = work()
    return clock() - start, result


def read_pictures(clip: Path) -> Iterator[VideoFrame]:
    """The frames of a clip that decode, in order."""
    return (item for item in iter_timeline(clip) if isinstance(item, VideoFrame))


class Rule:
    """The work of the rule on one sample, with a detector that is built once."""

    def __init__(self, options: FaceOptions) -> None:
        self.options, self.detector = options, FaceDetector(options)

    def __call__(self, clip: Path, output: Path) -> None:
        subject = Subject.parse("largest")
        align_faces(clip, output, self.options, subject, {}, self.detector)


def library_in_batches(library: MTCNN, images: list[np.ndarray], pixels: int) -> None:
    size = max(1, pixels // (images[0].shape[0] * images[0].shape[1]))
    for start in range(0, len(images), size):
        library.detect(images[start : start + size], landmarks=True)


def resized(clip: Path, output: Path, size: tuple[int, int]) -> Path:
    """The clip with pictures of another size, near lossless, at 25 frames a second."""
    with av.open(str(output), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.width, stream.height = size
        for number, frame in enumerate(
            item for item in iter_timeline(clip) if isinstance(item, VideoFrame)
        ):
            image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return output


def found(boxes: np.ndarray | None, probabilities: Any, ours: list[dict]) -> list[bool]:
    """For each face the loop is sure of, whether ours has it."""
    if boxes is None:
        return []
    return [
        any(
            intersection_over_union(np.array(box, float), np.array(own["box"])) >= OVERLAP
            for own in ours
        )
        for box, probability in zip(boxes, probabilities, strict=True)
        if probability >= SURE and min(box[2] - box[0], box[3] - box[1]) >= SMALLEST
    ]


class Bench:
    """The detectors, each built once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.pixels = clock, BATCH_PIXELS
        self.loop = MTCNN(keep_all=True, min_face_size=LOOP_FACE_SIZE)
        self.library = MTCNN(keep_all=True, min_face_size=FaceOptions().min_face_size)
        self.same = Rule(FaceOptions(min_face_size=LOOP_FACE_SIZE))
        self.shipped = Rule(FaceOptions())

    def line(self, clip: Path, output: Path) -> str:
        """One line of the table."""
        decoding, images = timed(
            self.clock,
            lambda: [frame.image for frame in read_pictures(clip)],
        )
        for detector in (self.loop, self.library):  # what is only slow the first time
            detector.detect(images[0])
        for rule in (self.same, self.shipped):
            rule.detector.detect(images[:1])
        looping, reference = timed(
            self.clock, lambda: [self.loop.detect(image, landmarks=True) for image in images]
        )
        same, _ = timed(self.clock, lambda: self.same(clip, output))
        library, _ = timed(
            self.clock, lambda: library_in_batches(self.library, images, self.pixels)
        )
        shipped, _ = timed(self.clock, lambda: self.shipped(clip, output))
        ours = pq.read_table(output)["detections"].to_pylist()
        hits = [found(b, p, f) for (b, p, _), f in zip(reference, ours, strict=True)]
        faces = [hit for frame in hits for hit in frame]
        frames = [all(hit) for hit in hits if hit]
        height, width = images[0].shape[:2]
        looping, library = looping + decoding, library + decoding
        seconds = (decoding, looping, same, library, shipped)
        rates = "".join(f"{len(images) / s:8.1f}" for s in seconds)
        agreement = f"{np.mean(faces):8.1%}{np.mean(frames):9.1%}" if faces else f"{'-':>8}{'-':>9}"
        return (
            f"{clip.name:46}{f'{width}x{height}':>10}{len(images):7}{rates}"
            f"{looping / same:10.2f}{looping / shipped:13.2f}{len(faces):7}{agreement}"
        )


def main(clips: list[Path], threads: int, cpu: bool, size: tuple[int, int] | None) -> None:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    bench = Bench(time.process_time if cpu else time.perf_counter)
    print(f"{threads} threads, {'CPU time' if cpu else 'wall clock'}; frames/s")
    print(
        f"{'clip':46}{'size':>10}{'frames':>7}{'decode':>8}{'loop':>8}{'same':>8}{'library':>8}"
        f"{'shipped':>8}{'same/loop':>10}{'shipped/loop':>13}{'faces':>7}{'by face':>8}"
        f"{'by frame':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            film = resized(clip, Path(folder) / f"{clip.stem}.mp4", size) if size else clip
            print(bench.line(film, Path(folder) / "faces.parquet"), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds, not the wall clock's")
    parser.add_argument("--size", type=int, nargs=2, help="width and height to resize clips to")
    given = parser.parse_args()
    main(given.clips, given.threads, given.cpu, tuple(given.size) if given.size else None)
