"""Choose the subject: detections become tracks, tracks become persons, one person is chosen.

Boxes alone do not show whether the face after a cut belongs to the same person, and a network for
face recognition would need further weights. Each detection therefore has an appearance vector
(`circumplex.faces.appearance`). A detection continues a track only if it is near the track's last
one and similar to it; the required likeness is higher on the next frame. Tracks that are similar
and never visible at the same time belong to one person. The subject is chosen after the last
frame, so that the choice depends on no single frame. The method and its thresholds are our choice.
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
"""A face that is not detected for longer starts a new track."""
FARTHEST_STEP = 1.0
"""Maximum distance between the centres of two detections of a track, in widths of the face."""
LARGEST_RATIO = 2.0
"""Maximum ratio between the sides of two detections of a track."""
NEXT_FRAME_S = 0.1
ALIKE_NEXT_FRAME = 0.88
"""Minimum likeness of two detections of a track at most `NEXT_FRAME_S` apart. On real clips, over
99% of faces reach it from one frame to the next, unless the colour of the light changes."""
ALIKE = 0.8
"""Minimum likeness of two detections of a track that are further apart, and of two tracks of a
person."""
SHORTEST_SHOT_S = 0.5
"""Tracks that are shorter are no shots of a film, but of a face that moves fast."""
BESIDE_S = 0.25
"""Maximum gap between such a track and the next of the same person."""
ALIKE_ALONE = 0.5
"""Minimum likeness of such a track to the person. Other people in other places have less; two who
are filmed in the same place may have 0.87."""
SECOND_PERSON = 0.05
"""Minimum accumulated area of a second person, relative to that of the first."""
FORBIDDEN = 1e6


class Choice(StrEnum):
    """Rule that chooses the subject among the persons of a video."""

    LARGEST = "largest"
    LEFT = "left"
    RIGHT = "right"
    BOX = "box"


@dataclass(frozen=True)
class Subject:
    """The subject as the sample sheet defines it.

    Attributes:
        choice: rule that chooses the subject.
        box: for `Choice.BOX`, ``(x0, y0, x1, y1)`` in pixels of the picture as shown.
    """

    choice: Choice
    box: tuple[float, float, float, float] | None = None

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Parse ``largest``, ``left``, ``right`` or ``x0,y0,x1,y1``.

        Raises:
            RequestError: the text is none of these.
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
    """Running sums over the detections of a track, its last detection and a few appearances."""

    box: NDArray[np.float64]
    time_s: float
    appearance: NDArray[np.float32]
    appearances: list[NDArray[np.float32]] = field(default_factory=list)
    since_s: float = 0.0
    count: int = 0
    area: float = 0.0
    centre: float = 0.0
    overlap: float = 0.0
    shots: set[int] = field(default_factory=set)


class Tracker:
    """Track every face of a video, frame by frame, and choose the subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._tracks: list[_Track] = []
        self._active: list[int] = []
        self._left_of: Counter[tuple[int, int]] = Counter()
        self._crowded: set[int] = set()

    def update(
        self,
        time_s: float,
        width: int,
        boxes: NDArray[np.floating],
        appearances: NDArray[np.float32],
        shot: int | None = None,
    ) -> list[int]:
        """Assign each detection of the next frame to a track.

        Args:
            time_s: time of the frame in seconds.
            width: width of the picture in pixels.
            boxes: (faces, 4), x0, y0, x1, y1 in pixels.
            appearances: (faces, d) from `circumplex.faces.appearance.describe_face`.
            shot: number of the shot, by `circumplex.faces.shots`; none where nobody knows.

        Returns:
            Number of each detection's track, from 0.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        self._active = [t for t in self._active if time_s - self._tracks[t].time_s <= LONGEST_GAP_S]
        tracks = self._assign(time_s, boxes, appearances)
        for detection, box in enumerate(boxes):
            appearance = appearances[detection]
            if tracks[detection] < 0:
                tracks[detection] = len(self._tracks)
                self._active.append(tracks[detection])
                self._tracks.append(_Track(box, time_s, appearance, since_s=time_s))
            self._record(self._tracks[tracks[detection]], time_s, width, box, appearance)
        if shot is not None:
            for track in tracks:
                self._tracks[track].shots.add(shot)
            if len(tracks) > 1:
                self._crowded.add(shot)
        centres = (boxes[:, 0] + boxes[:, 2]) / 2
        order = [tracks[i] for i in np.argsort(centres)]
        self._left_of.update((a, b) for i, a in enumerate(order) for b in order[i + 1 :])
        return tracks

    def choose(self) -> frozenset[int]:
        """Choose the subject's tracks from all frames so far; empty if the subject is not found."""
        persons = self._persons()
        if not persons:
            return frozenset()
        if self._subject.choice is Choice.LARGEST:
            return self._with_fragments(persons[0])
        if self._subject.choice is Choice.BOX:
            overlaps = [sum(self._tracks[t].overlap for t in person) for person in persons]
            best = int(np.argmax(overlaps))
            return frozenset(persons[best] if overlaps[best] > 0 else [])
        return self._on_side(persons)

    def _assign(
        self, time_s: float, boxes: NDArray[np.float64], appearances: NDArray[np.float32]
    ) -> list[int]:
        """Active track of each detection, -1 for none: the assignment of minimum total cost."""
        tracks = [-1] * len(boxes)
        if not self._active or not len(boxes):
            return tracks
        last = np.stack([self._tracks[t].box for t in self._active])
        last_appearances = np.stack([self._tracks[t].appearance for t in self._active])
        sides, last_sides = _sides(boxes), _sides(last)
        ratio = np.abs(np.log(sides[None] / last_sides[:, None]))
        offset = _centres(boxes)[None] - _centres(last)[:, None]
        step = np.hypot(offset[..., 0], offset[..., 1]) / np.sqrt(sides[None] * last_sides[:, None])
        alike = last_appearances @ appearances.T
        cost = step + ratio + (1 - alike)
        ago = time_s - np.array([self._tracks[t].time_s for t in self._active])
        least = np.where(ago <= NEXT_FRAME_S, ALIKE_NEXT_FRAME, ALIKE)[:, None]
        refused = (step > FARTHEST_STEP) | (ratio > np.log(LARGEST_RATIO)) | (alike < least)
        cost[refused] = FORBIDDEN
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < FORBIDDEN:
                tracks[column] = self._active[row]
        return tracks

    def _record(
        self,
        track: _Track,
        time_s: float,
        width: int,
        box: NDArray[np.float64],
        appearance: NDArray[np.float32],
    ) -> None:
        track.count += 1
        if track.count & (track.count - 1) == 0:  # detections 1, 2, 4, 8, ...: few, but spread out
            track.appearances.append(appearance)
        track.box, track.time_s, track.appearance = box, time_s, appearance
        track.area += float((box[2] - box[0]) * (box[3] - box[1]))
        track.centre += float(box[0] + box[2]) / 2 / width
        if self._subject.box is not None:
            track.overlap += intersection_over_union(box, np.array(self._subject.box))

    def _together(self, one: int, other: int) -> bool:
        return (one, other) in self._left_of or (other, one) in self._left_of

    def _persons(self) -> list[list[int]]:
        """Tracks grouped by appearance, the person with the largest accumulated area first."""
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

    def _with_fragments(self, person: list[int]) -> frozenset[int]:
        """A person's tracks, and the short ones beside them of a face that is alone.

        A face that moves fast is blurred, so that its tracks break off and resemble the others
        less. Where nobody else is seen, and nothing lasts as long as a shot, it is no other person.
        """
        accompanied = {t for pair in self._left_of for t in pair}
        waiting = [
            t
            for t, track in enumerate(self._tracks)
            if t not in person
            and t not in accompanied
            and track.time_s - track.since_s < SHORTEST_SHOT_S
            and self._alike(t, person) >= ALIKE_ALONE
        ]
        chosen = set(person)
        while beside := [t for t in waiting if any(self._gap_s(t, s) <= BESIDE_S for s in chosen)]:
            chosen.update(beside)
            waiting = [t for t in waiting if t not in chosen]
        return frozenset(chosen | self._in_shots_of(chosen, accompanied))

    def _in_shots_of(self, person: set[int], accompanied: set[int]) -> set[int]:
        """Further tracks in a person's shots in which never two faces are seen.

        Without a cut and without a second face, a face that looks otherwise is the same one that
        turned, was blurred or came back; after a long absence it must still be rather alike.
        """
        found: set[int] = set()
        waiting = {t for t in range(len(self._tracks)) if t not in person | accompanied}
        while more := {t for t in waiting if self._shares_shot(t, person | found)}:
            found |= more
            waiting -= more
        return found

    def _shares_shot(self, track: int, person: set[int]) -> bool:
        alone = self._tracks[track].shots - self._crowded
        beside = [t for t in person if alone & self._tracks[t].shots]
        return bool(beside) and (
            min(self._gap_s(track, t) for t in beside) <= LONGEST_GAP_S
            or self._alike(track, beside) >= ALIKE_ALONE
        )

    def _gap_s(self, one: int, other: int) -> float:
        """Seconds between two tracks; negative where they overlap in time."""
        first, second = self._tracks[one], self._tracks[other]
        return max(first.since_s - second.time_s, second.since_s - first.time_s)

    def _alike(self, track: int, person: Iterable[int]) -> float:
        """Largest likeness of a track to the tracks of a person."""

        def collect(t: int) -> list[NDArray[np.float32]]:
            return [*self._tracks[t].appearances, self._tracks[t].appearance]

        own = np.stack(collect(track))
        theirs = np.stack([appearance for t in person for appearance in collect(t)])
        return float((own @ theirs.T).max())

    def _area(self, person: Iterable[int]) -> float:
        return sum(self._tracks[t].area for t in person)

    def _on_side(self, persons: list[list[int]]) -> frozenset[int]:
        """Tracks of the left or right one of the two main persons.

        Their order is the one observed while both are visible, else that of their mean positions.
        A person alone is left or right by the half of the picture. A track that resembles neither
        of them belongs to the subject if it is on the subject's side of the other person.
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
        """Mean horizontal centre, relative to the picture's width."""
        tracks = [self._tracks[t] for t in person]
        return sum(t.centre for t in tracks) / sum(t.count for t in tracks)


def intersection_over_union(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1, in [0, 1]."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(sides.clip(min=0)))
    union = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - shared
    return shared / union if union > 0 else 0.0


def _sides(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Side of the square of equal area, at least one pixel."""
    extents = (boxes[:, 2:] - boxes[:, :2]).clip(min=1)
    return np.asarray(np.sqrt(extents[:, 0] * extents[:, 1]), np.float64)


def _centres(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float64)
