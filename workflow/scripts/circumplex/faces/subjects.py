"""Who is the subject: detections become tracks, tracks become persons, one person is chosen.

Boxes alone cannot tell whether the face after a cut is the same person's, and a network for
face recognition would be one more weight to fetch. So each detection carries a *look*
(`circumplex.faces.appearance`). A detection continues a track only when it is near it and looks
alike, the more so the shorter ago the track was seen; tracks that were never on screen together and
look alike are one person. The choice is made once the whole video is seen, so it depends on no
single frame.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from circumplex.errors import RequestError

LONGEST_GAP_S = 1.0
"""A face unseen for longer starts a new track."""
FARTHEST_STEP = 1.0
"""Between two detections of a track: distance of centres, in widths of the face."""
LARGEST_RATIO = 2.0
"""Between two detections of a track: ratio of their sides."""
NEXT_FRAME_S = 0.1
ALIKE_NEXT_FRAME = 0.88
"""Least likeness of two detections of a track that are at most `NEXT_FRAME_S` apart. On real clips
over 99% of faces are as like themselves one frame on, unless the colour of the light changes."""
ALIKE = 0.8
"""Least likeness of two detections of a track that are farther apart, and of two tracks of a
person."""
SECOND_PERSON = 0.05
"""Accumulated area of a second person, as a share of the first's, to count as one."""
FORBIDDEN = 1e6


class Choice(StrEnum):
    """Which person of a video is the subject."""

    LARGEST = "largest"
    LEFT = "left"
    RIGHT = "right"
    BOX = "box"


@dataclass(frozen=True)
class Subject:
    """The subject as the sample sheet names it.

    Attributes:
        choice: the rule.
        box: ``(x0, y0, x1, y1)`` in pixels of the picture as shown, for `Choice.BOX`.
    """

    choice: Choice
    box: tuple[float, float, float, float] | None = None

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read ``largest``, ``left``, ``right`` or ``x0,y0,x1,y1``.

        Raises:
            RequestError: anything else.
        """
        if text in (Choice.LARGEST, Choice.LEFT, Choice.RIGHT):
            return cls(Choice(text))
        try:
            x0, y0, x1, y1 = (float(value) for value in text.split(","))
        except ValueError:
            x0 = y0 = x1 = y1 = 0.0
        if not (x0 < x1 and y0 < y1):
            raise RequestError(
                f"subject {text!r} is none of largest, left, right, or x0,y0,x1,y1 in pixels "
                "with x0 < x1 and y0 < y1"
            )
        return cls(Choice.BOX, (x0, y0, x1, y1))


@dataclass
class _Track:
    """Running sums over the detections of one track; of fixed size but for a few looks."""

    box: NDArray[np.float64]
    time_s: float
    look: NDArray[np.float32]
    looks: list[NDArray[np.float32]] = field(default_factory=list)
    count: int = 0
    area: float = 0.0
    centre: float = 0.0
    overlap: float = 0.0


class Tracker:
    """Follows every face through a video, one frame at a time, and chooses the subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._tracks: list[_Track] = []
        self._active: list[int] = []
        self._left_of: Counter[tuple[int, int]] = Counter()

    def update(
        self, time_s: float, width: int, boxes: NDArray[np.floating], looks: NDArray[np.float32]
    ) -> list[int]:
        """Track of each detection of the next frame.

        Args:
            time_s: time of the frame.
            width: of the picture in pixels.
            boxes: (faces, 4), x0, y0, x1, y1 in pixels.
            looks: (faces, d) from `circumplex.faces.appearance.look`.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        self._active = [t for t in self._active if time_s - self._tracks[t].time_s <= LONGEST_GAP_S]
        found = self._assign(time_s, boxes, looks)
        for detection, box in enumerate(boxes):
            if found[detection] < 0:
                found[detection] = len(self._tracks)
                self._active.append(found[detection])
                self._tracks.append(_Track(box, time_s, looks[detection]))
            self._record(self._tracks[found[detection]], time_s, width, box, looks[detection])
        centres = (boxes[:, 0] + boxes[:, 2]) / 2
        order = [found[i] for i in np.argsort(centres)]
        self._left_of.update((a, b) for i, a in enumerate(order) for b in order[i + 1 :])
        return found

    def chosen(self) -> frozenset[int]:
        """The subject's tracks, given all frames so far; empty if the subject is never seen."""
        persons = self._persons()
        if not persons:
            return frozenset()
        if self._subject.choice is Choice.LARGEST:
            return frozenset(persons[0])
        if self._subject.choice is Choice.BOX:
            overlaps = [sum(self._tracks[t].overlap for t in person) for person in persons]
            best = int(np.argmax(overlaps))
            return frozenset(persons[best] if overlaps[best] > 0 else [])
        return self._on_side(persons)

    def _assign(
        self, time_s: float, boxes: NDArray[np.float64], looks: NDArray[np.float32]
    ) -> list[int]:
        found = [-1] * len(boxes)
        if not self._active or not len(boxes):
            return found
        last = np.stack([self._tracks[t].box for t in self._active])
        last_looks = np.stack([self._tracks[t].look for t in self._active])
        sides, last_sides = _sides(boxes), _sides(last)
        ratio = np.abs(np.log(sides[None] / last_sides[:, None]))
        offset = _centres(boxes)[None] - _centres(last)[:, None]
        step = np.hypot(offset[..., 0], offset[..., 1]) / np.sqrt(sides[None] * last_sides[:, None])
        alike = last_looks @ looks.T
        cost = step + ratio + (1 - alike)
        ago = time_s - np.array([self._tracks[t].time_s for t in self._active])
        least = np.where(ago <= NEXT_FRAME_S, ALIKE_NEXT_FRAME, ALIKE)[:, None]
        refused = (step > FARTHEST_STEP) | (ratio > np.log(LARGEST_RATIO)) | (alike < least)
        cost[refused] = FORBIDDEN
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < FORBIDDEN:
                found[column] = self._active[row]
        return found

    def _record(
        self,
        track: _Track,
        time_s: float,
        width: int,
        box: NDArray[np.float64],
        look_now: NDArray[np.float32],
    ) -> None:
        track.count += 1
        if track.count & (track.count - 1) == 0:  # looks at 1, 2, 4, 8 ...: few, yet spread
            track.looks.append(look_now)
        track.box, track.time_s, track.look = box, time_s, look_now
        track.area += float((box[2] - box[0]) * (box[3] - box[1]))
        track.centre += float(box[0] + box[2]) / 2 / width
        if self._subject.box is not None:
            track.overlap += intersection_over_union(box, np.array(self._subject.box))

    def _together(self, one: int, other: int) -> bool:
        return (one, other) in self._left_of or (other, one) in self._left_of

    def _persons(self) -> list[list[int]]:
        """Tracks grouped by look, the person with the greatest accumulated area first."""
        persons: list[list[int]] = []
        for t in sorted(range(len(self._tracks)), key=lambda t: (-self._tracks[t].area, t)):
            likeness = [
                -1.0 if any(self._together(t, s) for s in person) else self._alike(t, person)
                for person in persons
            ]
            if likeness and max(likeness) >= ALIKE:
                persons[int(np.argmax(likeness))].append(t)
            else:
                persons.append([t])
        return sorted(persons, key=lambda person: -self._area(person))

    def _alike(self, track: int, person: Iterable[int]) -> float:
        own = np.stack([*self._tracks[track].looks, self._tracks[track].look])
        theirs = np.stack(
            [x for t in person for x in (*self._tracks[t].looks, self._tracks[t].look)]
        )
        return float((own @ theirs.T).max())

    def _area(self, person: Iterable[int]) -> float:
        return sum(self._tracks[t].area for t in person)

    def _on_side(self, persons: list[list[int]]) -> frozenset[int]:
        """The left or right one of the two main persons.

        Their order is the one seen while both were on screen, else that of their mean places. A
        person alone is on the side of the picture's half. A track that resembles neither belongs
        to the one whose side it took beside the other.
        """
        wants_left = self._subject.choice is Choice.LEFT
        first, second = persons[0], persons[1] if len(persons) > 1 else []
        if self._area(second) < SECOND_PERSON * self._area(first):
            is_left = self._place(first) < 0.5
            return frozenset(first if is_left is wants_left else [])
        balance = self._times_left(first, second) - self._times_left(second, first)
        if balance == 0:
            balance = 1 if self._place(first) < self._place(second) else -1
        left, right = (first, second) if balance > 0 else (second, first)
        own, other = (left, right) if wants_left else (right, left)
        chosen = set(own)
        for person in persons:
            for t in person if person is not own and person is not other else []:
                beside = self._times_left([t], other) - self._times_left(other, [t])
                on_own_side = beside > 0 if wants_left else beside < 0
                if on_own_side and not any(self._together(t, s) for s in chosen):
                    chosen.add(t)
        return frozenset(chosen)

    def _times_left(self, one: Iterable[int], other: list[int]) -> int:
        return sum(self._left_of[a, b] for a in one for b in other if (a, b) in self._left_of)

    def _place(self, person: Iterable[int]) -> float:
        """Mean centre as a share of the picture's width."""
        tracks = [self._tracks[t] for t in person]
        return sum(t.centre for t in tracks) / sum(t.count for t in tracks)


def intersection_over_union(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Of two boxes x0, y0, x1, y1; in [0, 1]."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(sides.clip(min=0)))
    union = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - shared
    return shared / union if union > 0 else 0.0


def _sides(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Side of the square of equal area, at least a pixel."""
    extents = (boxes[:, 2:] - boxes[:, :2]).clip(min=1)
    return np.asarray(np.sqrt(extents[:, 0] * extents[:, 1]), np.float64)


def _centres(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float64)
