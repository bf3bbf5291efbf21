"""Options of the stages before training: compute, media, filling, labels, packs, folds.

Imported while the workflow is parsed: standard library and pydantic only.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from circumplex.config.annotations import AnnotationTable, Combination
from circumplex.config.samples import Coordinate
from circumplex.config.section import Lax, Section, Seed, Text, defaults_of


class Threads(Section):
    """Cores that a deep job asks for."""

    extract: int = Field(4, ge=1, le=1024, description="cores of a job of a deep extractor")
    train: int = Field(2, ge=1, le=1024, description="cores of a training")


class Compute(Section):
    """Where it is computed: makes nothing stale. Threads and GPUs order sums in different ways, so
    that values may differ in their last digits; bits are promised for one number of threads."""

    gpu: int = Field(0, ge=0, le=64, description="GPUs a deep job asks for; 0 computes on the CPU")
    gpus_per_backbone: int = Field(
        1, ge=1, le=64, description="times gpu: GPUs that train a backbone together (torchrun)"
    )
    threads: Threads = defaults_of(Threads)


class Media(Section):
    """Options of decoding."""

    audio_only_fps: float = Field(
        30.0,
        ge=1,
        le=240,
        description="frames per second of the timeline of a sample without picture (our choice; "
        "Aff-Wild2's)",
    )


NATIVE: Literal["native"] = "native"
LEAST_RATE, MOST_RATE = 1.0, 240.0
Rate = Annotated[float, Field(ge=LEAST_RATE, le=MOST_RATE)]
"""Frames per second of a timeline."""


class Timeline(Section):
    """Options of the frames that features, encoders and smoothing count."""

    rate: Literal["native"] | Rate = Field(
        NATIVE,
        description="native: the video's own frames, as in the paper; or frames per second, each "
        "taken from the nearest of the video's frames, so that one model and one smoothing window "
        "fit videos of any rate (our choice)",
    )


class NoValidFace(StrEnum):
    """What becomes of a sample with too few valid faces, or none.

    `FAIL`: it fails; `ZEROS`: its visual features are absent.
    """

    FAIL = "fail"
    ZEROS = "zeros"


class Fill(Section):
    """Options of filling frames without a face."""

    no_valid_face: Lax[NoValidFace] = Field(
        NoValidFace.FAIL,
        description="a sample with valid faces in less than faces.min_valid_share of its frames: "
        "fail, or zeros: its visual features are absent",
    )


EMOTIONS = {
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "angry": (-0.51, 0.59),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "surprise": (0.40, 0.67),
    "neutral": (0.0, 0.0),
}
"""Places of emotions on the circumplex, valence and arousal: Russell and Mehrabian, Journal of
Research in Personality 1977; neutral at 0, 0 is our choice."""


class Labels(Section):
    """Options of reading annotations (docs/annotations.md)."""

    max_difference: int = Field(
        30,
        ge=0,
        le=1_000_000,
        description="rows at most that an annotation with one row per frame and its video may "
        "differ by; Aff-Wild2's differ by a few",
    )
    max_difference_share: float = Field(
        0.02,
        ge=0,
        le=1,
        description="the same as a share of the video's frames, so that a wrong rate does not "
        "pass; 5 rows are always within it (our choice). Of the length, for annotations with times "
        "that go on beyond the video's end",
    )
    max_difference_without_video: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="in place of max_difference for annotation and imported features, where no "
        "video says how many frames there are",
    )
    longest_gap_s: float = Field(
        2.0,
        ge=0,
        le=86400,
        description="seconds between two rows of an annotation with times up to which the frames "
        "between them are interpolated; beyond, they are unannotated (our choice)",
    )
    lag_s: float = Field(
        0.0,
        ge=-60,
        le=60,
        description="seconds by which annotators react late: a frame takes the annotation of so "
        "much later; `circumplex lag` estimates it",
    )
    combination: Lax[Combination] = Field(
        Combination.MEAN,
        description="of several annotators: mean, or ewe, the evaluator weighted estimator (Grimm "
        "and Kroschel 2005)",
    )
    table: AnnotationTable = defaults_of(AnnotationTable)
    emotions: dict[Text, Lax[tuple[Coordinate, Coordinate]]] = Field(
        EMOTIONS,
        description="valence and arousal by emotion, for the column emotion of the sample sheet; "
        "those given come beside these seven (Russell and Mehrabian 1977; neutral: our choice)",
    )


class PackType(StrEnum):
    """Type of the values in packed features."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class Packs(Section):
    """Options of packed features, which training reads."""

    dtype: Lax[PackType] = Field(
        PackType.FLOAT32, description="of the values; float16 takes half the disk"
    )


class Folds(Section):
    """Folds of strategy kfold: over training and validation samples, groups never split."""

    count: int = Field(5, ge=2, le=1000, description="of the folds (section 3.5 of the paper)")
    seed: Seed = Field(0, description="of the division")
    keep: Text | None = Field(
        None, description="make_folds.json of an earlier run: its samples keep their folds"
    )
