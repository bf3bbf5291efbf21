"""Faces of the frames between two detections, found by MTCNN's last two stages alone.

Where two detections some frames apart show the same faces near the same places, a face lies
between them about where the line between its two boxes says. R-Net and O-Net, which are a small
part of the cascade's time, find it there in the frame itself, with box, landmarks and probability
as ever. Where the two detections differ, or what is found is improbable or elsewhere, the whole
cascade runs on the frames in question. The method and its thresholds are our choice.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from circumplex.config.faces import AUTO
from circumplex.faces.detector import FaceDetector, Faces
from circumplex.faces.subjects import intersection_over_union

AUTO_INTERVAL_S = 0.2
"""Seconds between two detections of ``detect_every: auto``."""
ROUNDING_S = 1e-3
STEADY = 0.3
"""Least overlap of a face's boxes in two detections between which it is followed."""
NEAR = 0.5
"""Least overlap of a face that was found with the place where it was looked for."""
TWICE = 0.5
"""Overlap from which two faces that were found are one."""
NO_FACES = Faces(
    np.zeros((0, 4), np.float32), np.zeros((0, 10), np.float32), np.zeros(0, np.float32)
)


def key_frames(times: Sequence[float], every: int | str) -> list[int]:
    """Positions of the frames in which the whole cascade runs, the first and the last among them.

    Args:
        times: of the frames in seconds.
        every: one frame of so many, or ``auto``: as far apart as `AUTO_INTERVAL_S` allows.
    """
    last = len(times) - 1
    if every != AUTO:
        return sorted({*range(0, len(times), int(every)), *([last] if times else [])})
    keys: list[int] = []
    for k in range(len(times)):
        # The last one before the interval ends.
        if k in (0, last) or times[k + 1] - times[keys[-1]] > AUTO_INTERVAL_S + ROUNDING_S:
            keys.append(k)
    return keys


def follow_faces(
    detector: FaceDetector,
    images: Sequence[NDArray[np.uint8]],
    times: Sequence[float],
    detected: Mapping[int, Faces],
    least: float,
) -> dict[int, Faces]:
    """Faces of the frames between detections.

    Args:
        detector: of the detections.
        images: RGB pictures of one size.
        times: of the pictures in seconds.
        detected: faces of some pictures by position, the first and the last among them.
        least: probability of a valid face; others are not followed.

    Returns:
        By position, for all other pictures: the valid faces that were followed, or all that the
        whole cascade found.
    """
    guesses: list[tuple[int, NDArray[np.float32]]] = []
    found: dict[int, list[tuple[Faces, int]]] = {}
    anew: set[int] = set()
    for first, last in pairwise(sorted(detected)):
        pairs = _pair(detected[first], detected[last], least)
        for k in range(first + 1, last):
            if pairs is None:
                anew.add(k)
                continue
            found[k] = []
            weight = (times[k] - times[first]) / (times[last] - times[first])
            guesses += [(k, ((1 - weight) * a + weight * b).astype(np.float32)) for a, b in pairs]
    refined = _refine(detector, images, guesses)
    for (k, guess), faces in zip(guesses, refined, strict=True):
        near = [intersection_over_union(guess, box) for box in faces.boxes]
        best = int(np.argmax(near)) if near else -1
        if best < 0 or near[best] < NEAR or faces.probabilities[best] < least:
            anew.add(k)
        else:
            found[k].append((faces, best))
    joined = {k: _join(several) for k, several in found.items() if k not in anew}
    anew |= {k for k, faces in joined.items() if _is_twice(faces)}
    whole = sorted(anew)
    again = detector.detect([images[k] for k in whole]) if whole else []
    return {**joined, **dict(zip(whole, again, strict=True))}


def _refine(
    detector: FaceDetector,
    images: Sequence[NDArray[np.uint8]],
    guesses: Sequence[tuple[int, NDArray[np.float32]]],
) -> list[Faces]:
    if not guesses:
        return []
    return detector.refine([images[k] for k, _ in guesses], np.stack([box for _, box in guesses]))


def _pair(
    one: Faces, other: Faces, least: float
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]] | None:
    """Boxes of each valid face in two detections; none where these do not show the same faces."""
    first, second = one.boxes[one.probabilities >= least], other.boxes[other.probabilities >= least]
    if len(first) != len(second):
        return None
    overlaps = np.array([[intersection_over_union(a, b) for b in second] for a in first])
    if not overlaps.size:
        return []
    rows, columns = linear_sum_assignment(-overlaps)
    if overlaps[rows, columns].min() < STEADY:
        return None
    return [(first[a], second[b]) for a, b in zip(rows, columns, strict=True)]


def _join(several: Sequence[tuple[Faces, int]]) -> Faces:
    """One face of each, the most probable first."""
    if not several:
        return NO_FACES
    order = sorted(several, key=lambda one: -float(one[0].probabilities[one[1]]))
    return Faces(
        np.stack([faces.boxes[k] for faces, k in order]),
        np.stack([faces.landmarks[k] for faces, k in order]),
        np.stack([faces.probabilities[k] for faces, k in order]),
    )


def _is_twice(faces: Faces) -> bool:
    """Whether two of the faces are one."""
    boxes = faces.boxes
    return any(
        intersection_over_union(boxes[a], boxes[b]) > TWICE
        for a in range(len(boxes))
        for b in range(a)
    )
