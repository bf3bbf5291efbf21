"""How fast faces are found, and whether they are the faces that MTCNN finds frame by frame.

    PYTHONPATH=workflow/scripts python benchmarks/faces.py ../shared/media/*.m[okp]*  [--threads 2]

For each clip, in frames a second of this process's wall clock: bare decoding; facenet-pytorch's
MTCNN called frame by frame as its README shows; our detector with the same settings; our
detector with the shipped defaults. Then the agreement: of the faces of 40 pixels or more that the
loop finds with probability 0.95 or more, the share that our defaults find with an intersection
over union of 0.8 or more, by face and by frame (a frame counts when all its faces are found).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from circumplex.faces import FaceDetector, FaceOptions, Faces
from circumplex.media import iter_frames
from circumplex.subjects import intersection_over_union

LOOP_FACE_SIZE = 20
SURE, SMALLEST, OVERLAP = 0.95, 40.0, 0.8


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def in_batches(detector: FaceDetector, images: list[np.ndarray], pixels: int) -> list[Faces]:
    size = max(1, pixels // (images[0].shape[0] * images[0].shape[1]))
    return [
        faces
        for start in range(0, len(images), size)
        for faces in detector.detect(images[start : start + size])
    ]


def found(boxes: np.ndarray | None, probabilities: Any, faces: Faces) -> list[bool]:
    """For each face the loop is sure of, whether ours has it."""
    if boxes is None:
        return []
    return [
        any(intersection_over_union(np.array(box, float), own) >= OVERLAP for own in faces.boxes)
        for box, probability in zip(boxes, probabilities, strict=True)
        if probability >= SURE and min(box[2] - box[0], box[3] - box[1]) >= SMALLEST
    ]


def main(clips: list[Path], threads: int) -> None:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    defaults = FaceOptions()
    loop = MTCNN(keep_all=True, min_face_size=LOOP_FACE_SIZE)
    same = FaceDetector(FaceOptions(min_face_size=LOOP_FACE_SIZE))
    shipped = FaceDetector(defaults)
    print(f"{threads} threads; frames/s of: decoding, loop, same settings, shipped defaults")
    print(
        f"{'clip':46}{'size':>9}{'frames':>7}{'decode':>8}{'loop':>7}{'same':>7}{'shipped':>8}"
        f"{'same/loop':>10}{'shipped/loop':>13}{'faces':>7}{'by face':>8}{'by frame':>9}"
    )
    for clip in clips:
        print(measure(clip, loop, same, shipped, defaults.batch_pixels))


def measure(clip: Path, loop: MTCNN, same: FaceDetector, shipped: FaceDetector, pixels: int) -> str:
    """One line of the table."""
    decoding, images = timed(lambda: [frame.image for frame in iter_frames(clip)])
    loop.detect(images[0])
    same.detect(images[:1])
    shipped.detect(images[:1])
    looping, reference = timed(lambda: [loop.detect(image, landmarks=True) for image in images])
    same_time, _ = timed(lambda: in_batches(same, images, pixels))
    shipped_time, ours = timed(lambda: in_batches(shipped, images, pixels))
    hits = [found(b, p, f) for (b, p, _), f in zip(reference, ours, strict=True)]
    faces = [hit for frame in hits for hit in frame]
    frames = [all(hit) for hit in hits if hit]
    height, width = images[0].shape[:2]
    rates = [len(images) / t for t in (decoding, looping, same_time, shipped_time)]
    agreement = f"{np.mean(faces):8.1%}{np.mean(frames):9.1%}" if faces else f"{'-':>8}{'-':>9}"
    return (
        f"{clip.name:46}{f'{width}x{height}':>9}{len(images):7}{rates[0]:8.0f}"
        f"{rates[1]:7.1f}{rates[2]:7.1f}{rates[3]:8.1f}{rates[2] / rates[1]:10.2f}"
        f"{rates[3] / rates[1]:13.2f}{len(faces):7}{agreement}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.clips, arguments.threads)
