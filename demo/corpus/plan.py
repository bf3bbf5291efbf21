"""Who appears in which clip, and which clip holds which hard case. No pixels, no sound."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from demo.corpus.latents import Latents, draw_split, stratified

STRATA = ("skin", "hair", "style", "width", "jaw", "mouth", "glasses", "stubble", "pitch", "tract")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One row of the cast: a video, who is in it and what is hard about it.

    Attributes:
        people: numbers within the split; two of them sit side by side.
        fps: frames a second, the mean if ``variable``.
        absences: stretches without a visible face, of each person.
        unlabelled: number of stretches annotated with -5.
        extra_rows: rows that the annotation has beyond the video's frames.
        delay_s: how much later than the pictures the sound starts.
    """

    split: str
    people: tuple[int, ...]
    fps: Fraction = Fraction(25)
    suffix: str = ".mp4"
    sound: bool = True
    variable: bool = False
    absences: int = 0
    unlabelled: int = 0
    extra_rows: int = 0
    delay_s: float = 0.0


NTSC = Fraction(30000, 1001)

DEMO = (
    Clip("train", (0,), absences=1),
    Clip("train", (0,), unlabelled=1),
    Clip("train", (1,), extra_rows=2),
    Clip("train", (2,), sound=False, suffix=".mov"),
    Clip("train", (3,), fps=NTSC),
    Clip("train", (4,), delay_s=0.3),
    Clip("train", (5,), absences=1, unlabelled=1),
    Clip("train", (6,)),
    Clip("train", (7,), absences=1),
    Clip("train", (8,)),
    Clip("train", (9,), unlabelled=1),
    Clip("train", (10,)),
    Clip("train", (11,), absences=1),
    Clip("train", (12,)),
    Clip("train", (13,)),
    Clip("train", (14,)),
    Clip("train", (15, 16)),
    Clip("val", (0,), absences=1),
    Clip("val", (1,), unlabelled=1),
    Clip("val", (2,)),
    Clip("val", (3,), fps=NTSC),
    Clip("val", (4,)),
    Clip("test", (0,), absences=1),
    Clip("test", (1,), variable=True, suffix=".mkv"),
    Clip("test", (2,), unlabelled=1),
    Clip("test", (3,)),
    Clip("test", (4,), absences=1),
    Clip("test", (5,), fps=NTSC),
    Clip("test", (6,)),
    Clip("test", (7,)),
)
TINY = (
    Clip("train", (0,), absences=1),
    Clip("train", (1,), sound=False, extra_rows=2),
    Clip("train", (2, 3)),
    Clip("val", (0,), unlabelled=1),
    Clip("val", (1,)),
    Clip("test", (0,), variable=True, suffix=".mkv"),
    Clip("test", (1,)),
)


@dataclass(frozen=True)
class Cast:
    """What a corpus of one size holds.

    Attributes:
        clips: the videos.
        durations: shortest and longest, in seconds.
        stills: people of the still images, and pictures of each.
    """

    clips: tuple[Clip, ...]
    durations: tuple[float, float]
    stills: tuple[int, int]


CASTS = {
    "demo": Cast(DEMO, (6.2, 8.4), stills=(160, 6)),
    "short": Cast(DEMO, (2.6, 3.4), stills=(10, 8)),  # what a CI run can learn from
    "tiny": Cast(TINY, (2.0, 2.0), stills=(10, 8)),
}


@dataclass(frozen=True)
class Subject:
    """One person in one clip, which is one sample.

    Attributes:
        hidden: True on frames in which a hand covers the face, or the person has left the picture.
        covered: the first of the two.
        labelled: False on the frames annotated with -5.
    """

    sample: str
    position: str
    person: str
    strata: dict[str, float]
    latents: Latents
    hidden: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


@dataclass(frozen=True)
class Video:
    """Everything about a video but its pixels and its sound; ``ticks`` are times in ms."""

    name: str
    clip: Clip
    group: str
    ticks: NDArray[np.int64] | None
    times: NDArray[np.float64]
    subjects: tuple[Subject, ...] = field(default_factory=tuple)
    seed: tuple[int, ...] = ()


def plan_corpus(seed: int, size: str) -> list[Video]:
    """All videos of the corpus of this seed and size (a key of `CASTS`)."""
    cast, durations = CASTS[size].clips, CASTS[size].durations
    videos = []
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, number])
        clips = [clip for clip in cast if clip.split == split]
        lengths = durations[0] + (durations[1] - durations[0]) * stratified(rng, len(clips))
        timelines = [
            _timeline(rng, clip, length) for clip, length in zip(clips, lengths, strict=True)
        ]
        people = 1 + max(person for clip in clips for person in clip.people)
        spread = {name: stratified(rng, people) for name in STRATA}
        seats = [i for i, clip in enumerate(clips) for _ in clip.people]
        latents = iter(draw_split(rng, [timelines[i][1] for i in seats]))
        for i, clip in enumerate(clips):
            index = sum(other.split in SPLITS[:number] for other in cast) + i + 1
            ticks, times = timelines[i]
            subjects = []
            for person, position in zip(
                clip.people,
                ("left", "right") if len(clip.people) > 1 else ("largest",),
                strict=True,
            ):
                hidden, covered, labelled = _stretches(rng, clip, times)
                name = f"clip{index:02d}"
                subjects.append(
                    Subject(
                        sample=name if position == "largest" else f"{name}_{position}",
                        position=position,
                        person=f"{split}{person:02d}",
                        strata={key: float(values[person]) for key, values in spread.items()},
                        latents=next(latents),
                        hidden=hidden,
                        covered=covered,
                        labelled=labelled,
                    )
                )
            videos.append(
                Video(
                    name=f"clip{index:02d}",
                    clip=clip,
                    group="+".join(subject.person for subject in subjects),
                    ticks=ticks,
                    times=times,
                    subjects=tuple(subjects),
                    seed=(seed, number, i),
                )
            )
    return videos


def _timeline(
    rng: np.random.Generator, clip: Clip, length_s: float
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64]]:
    """Frame times: even, or from 20 to 60 ms apart in a video of variable frame rate."""
    frames = round(length_s * clip.fps)
    if not clip.variable:
        return None, np.arange(frames) / float(clip.fps)
    # A camera that slows down in the dark: the rate wanders, and a frame is lost here and there.
    phase = np.arange(frames - 1) / 40.0 + rng.random()
    gaps = 39 + 12 * np.sin(2 * np.pi * phase) + rng.integers(-5, 6, frames - 1)
    gaps[rng.random(frames - 1) < 0.03] += 40
    ticks = np.concatenate([[0], np.cumsum(np.round(gaps).astype(np.int64))])
    return ticks, ticks / 1000.0


def _stretches(
    rng: np.random.Generator, clip: Clip, times: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Frames that are hidden, those that are covered by a hand, and those that are labelled."""
    end = times[-1]

    def stretch(low: float, high: float) -> NDArray[np.bool_]:
        length = min(rng.uniform(low, high), 0.25 * end)
        start = rng.uniform(0.1 * end, 0.9 * end - length)
        return np.asarray((times >= start) & (times < start + length))

    hidden, covered = np.zeros(len(times), bool), np.zeros(len(times), bool)
    for _ in range(clip.absences):
        gone = stretch(0.5, 1.3)
        hidden |= gone
        if rng.random() < 0.5:
            covered |= gone
    labelled = np.ones(len(times), bool)
    for _ in range(clip.unlabelled):
        labelled &= ~stretch(0.5, 1.3)
    return hidden, covered, labelled
