"""Faces that are followed between detections, against detection in every frame.

    .venv/bin/python benchmarks/following.py ../shared/media/*.m[okp]*  [--threads 2] [--loop]

For each clip the work of the rule `align_faces`, from the file to crops in a table, with
``faces.detect_every`` 1 and ``auto``: seconds of the CPU, and the share of the frames that ``auto``
looked through as a whole, at first or anew. Then the agreement of ``auto`` with 1: the share of
frames with the same number of valid faces, each overlapping its counterpart by 0.8 or more, and the
mean distance of their landmarks in pixels. With --loop, facenet-pytorch called frame by frame as
its README shows is timed too. It fails where the agreement over all clips is less than 0.99, or the
distance above 2 pixels.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from facenet_pytorch import MTCNN
from scipy.optimize import linear_sum_assignment

from circumplex.config.faces import AUTO, FaceOptions
from circumplex.faces.align import align_faces
from circumplex.faces.detector import FaceDetector
from circumplex.faces.subjects import Subject, intersection_over_union
from circumplex.media.video import VideoFrame, iter_timeline

LOOP_FACE_SIZE = 20
OVERLAP, LEAST, FARTHEST = 0.8, 0.99, 2.0


def rows_of(clip: Path, options: FaceOptions, detector: FaceDetector) -> tuple[list[dict], float]:
    """The rule's table of a clip, and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "faces.parquet"
        start = time.process_time()
        align_faces(clip, output, options, Subject.parse("largest"), {}, detector)
        seconds = time.process_time() - start
        return pq.read_table(output, columns=["detections", "interpolated"]).to_pylist(), seconds


def valid(row: dict, least: float) -> list[dict]:
    return [face for face in row["detections"] if face["probability"] >= least]


def compare(one: list[dict], other: list[dict]) -> tuple[bool, list[float]]:
    """Whether two frames have the same faces, and distances of the landmarks of those shared."""
    if not one or not other:
        return len(one) == len(other), []
    overlaps = np.array(
        [
            [intersection_over_union(np.array(a["box"]), np.array(b["box"])) for b in other]
            for a in one
        ]
    )
    rows, columns = linear_sum_assignment(-overlaps)
    shared = [(a, b) for a, b in zip(rows, columns, strict=True) if overlaps[a, b] >= OVERLAP]
    distances = []
    for a, b in shared:
        step = np.subtract(one[a]["landmarks"], other[b]["landmarks"]).reshape(5, 2)
        distances += np.hypot(*step.T).tolist()
    return len(one) == len(other) == len(shared), distances


def loop_seconds(clip: Path, library: MTCNN) -> float:
    start = time.process_time()
    for item in iter_timeline(clip):
        if isinstance(item, VideoFrame):
            library.detect(item.image, landmarks=True)
    return time.process_time() - start


def main(clips: list[Path], threads: int, loop: bool) -> bool:
    """Print the table; whether the agreement is what it must be."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    every, auto = FaceOptions(), FaceOptions.read({"detect_every": AUTO}, "faces")
    detector = FaceDetector(every)
    library = MTCNN(keep_all=True, min_face_size=LOOP_FACE_SIZE) if loop else None
    rows_of(clips[0], every, detector)  # what is only slow the first time
    header = f"{'clip':46}{'frames':>7}{'1, s':>8}{'auto, s':>9}{'ratio':>7}{'whole':>7}"
    print(header + f"{'same':>8}{'px':>6}" + (f"{'loop / auto':>13}" if loop else ""))
    same: list[bool] = []
    distances: list[float] = []
    for clip in clips:
        before, slow = rows_of(clip, every, detector)
        after, fast = rows_of(clip, auto, detector)
        least = every.min_probability
        found = [
            compare(valid(a, least), valid(b, least)) for a, b in zip(before, after, strict=True)
        ]
        agreed, apart = [f for f, _ in found], [d for _, many in found for d in many]
        whole = np.mean([not row["interpolated"] for row in after])
        line = f"{clip.name:46}{len(before):7}{slow:8.2f}{fast:9.2f}{slow / fast:7.2f}{whole:7.2f}"
        line += f"{np.mean(agreed):8.4f}{np.mean(apart) if apart else 0:6.2f}"
        if library is not None:
            line += f"{loop_seconds(clip, library) / fast:13.2f}"
        print(line, flush=True)
        same += agreed
        distances += apart
    share, mean = float(np.mean(same)), float(np.mean(distances or [0.0]))
    print(f"all: {share:.4f} of {len(same)} frames the same, landmarks {mean:.2f} px apart")
    return share >= LEAST and mean <= FARTHEST


def parse() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--loop", action="store_true", help="time facenet-pytorch's loop too")
    return vars(parser.parse_args())


if __name__ == "__main__":
    sys.exit(not main(**parse()))
