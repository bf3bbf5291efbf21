"""The corpus in the report: the tables of each sample, and warnings about suspicious ones."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from circumplex.io.parquet import read_columns
from circumplex.report.agreement import describe_annotators
from circumplex.report.quality import Quality, read_quality, read_sheet

LOW_FACE_SHARE = 0.8
SILENT_DBFS = -60.0
SILENT_SHARE = 0.5
SMALL_FACE_PX = 40
SWITCHES_PER_MINUTE = 6.0
LOST_SHARE = 0.01
FAR_FACE_S = 1.0
RATES_DIFFER = 1.05
"""Ratio of the highest to the lowest frame rate of a corpus, from which on it is mixed."""


@dataclass(frozen=True)
class ReportSample:
    """Tables and problems of a sample in a run.

    Attributes:
        name: name of the sample.
        split: train, val, test or predict.
        subject: rule that chooses the subject's face in the video.
        group: group of samples that is never split over folds.
        faces: table of ``align_faces``.
        fill: table of ``fill_frames``.
        labels: table of ``read_labels``.
        quality: table of ``summarise_quality``.
        failures: stage and reason of each failure.
        absent: missing modalities with the reason, such as ``audio: no audio stream``.
    """

    name: str
    split: str
    subject: str
    group: str
    faces: Path | None = None
    fill: Path | None = None
    labels: Path | None = None
    quality: Path | None = None
    failures: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorpusRow:
    """A sample in the corpus table.

    Attributes:
        sample: tables and problems of the sample.
        quality: statistics of its faces and sound; None if it failed before.
        annotated: number of annotated frames; None without labels.
        warnings: reasons why the sample is suspicious.
        notes: further remarks.
    """

    sample: ReportSample
    quality: Quality | None
    annotated: int | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def suspicion(self) -> tuple[bool, int, float]:
        """Sort key: failed samples first, then many warnings, then few faces and much silence."""
        quality = self.quality
        badness = 0.0
        if quality is not None:
            badness = 1 - (quality.valid_share or 0.0) + (quality.silent_share or 0.0)
        return not self.sample.failures, -len(self.warnings), -badness

    @property
    def sheet(self) -> str | None:
        """The contact sheet as a data URI, read on each access; None if there is none."""
        content = None if self.sample.quality is None else read_sheet(self.sample.quality)
        if content is None:
            return None
        return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


def describe_rates(corpus: Iterable[CorpusRow]) -> str:
    """A warning where the samples' timelines have different rates; empty where they agree.

    Samples of one frame have no rate.
    """
    facts = [row.quality for row in corpus if row.quality is not None and row.quality.frames > 1]
    rates = [quality.frames / quality.duration_s for quality in facts]
    if not rates or max(rates) <= RATES_DIFFER * min(rates):
        return ""
    return (
        f"The samples have from {min(rates):.4g} to {max(rates):.4g} frames per second, and "
        "segments and smoothing count frames: a number for timeline.rate makes them count seconds."
    )


def make_row(sample: ReportSample, *, audio_expected: bool) -> CorpusRow:
    """Make the row of a sample, with its warnings and notes.

    Args:
        sample: tables and problems of the sample.
        audio_expected: whether a sample without sound is suspicious; false if no sample has sound.
    """
    quality = None if sample.quality is None else read_quality(sample.quality)
    warnings = [f"failed in {stage}" for stage, _ in sample.failures]
    notes: list[str] = []
    if quality is not None:
        warnings += _face_warnings(quality)
        explained = any("audio" in text for text in sample.absent)
        warnings += _sound_warnings(quality, expected=audio_expected and not explained)
        notes += _notes(quality)
    if sample.fill is not None:
        notes += _fill_notes(sample.fill)
    warnings += sample.absent
    labels = None if sample.labels is None else read_columns(sample.labels, ["annotated"])[0]
    notes += [] if sample.labels is None else describe_annotators(sample.labels)
    return CorpusRow(
        sample=sample,
        quality=quality,
        annotated=None if labels is None else int(labels.sum()),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _face_warnings(quality: Quality) -> list[str]:
    found = []
    if quality.valid_share is not None and quality.valid_share < LOW_FACE_SHARE:
        found.append(f"face in {quality.valid_share:.1%} of the frames")
    if quality.face_px is not None and quality.face_px < SMALL_FACE_PX:
        found.append(f"small face: {quality.face_px} px")
    # Two switches are one turn of the head; in a short clip, the limit would be below that.
    switches = quality.switches or 0
    if switches > max(2.0, SWITCHES_PER_MINUTE * quality.duration_s / 60):
        found.append(f"{switches} switches of the tracker")
    # A sample with sound only has no picture in any frame, which is no failure.
    if 0 < quality.decoded_share < 1 - LOST_SHARE:
        found.append(f"{1 - quality.decoded_share:.1%} of the frames failed to decode")
    if quality.missing_s:
        found.append(f"{quality.missing_s:.1f} s of the announced picture are missing: cut off?")
    return found


def _sound_warnings(quality: Quality, *, expected: bool) -> list[str]:
    if quality.sound_missing_s:
        missing = f"{quality.sound_missing_s:.1f} s of the announced sound are missing: cut off?"
        return [missing, *_level_warnings(quality, expected=expected)]
    return _level_warnings(quality, expected=expected)


def _level_warnings(quality: Quality, *, expected: bool) -> list[str]:
    if quality.sound_s is None:
        return ["no audio"] if expected else []
    if quality.level_dbfs is None or quality.level_dbfs < SILENT_DBFS:
        return ["silent"]
    if quality.silent_share is not None and quality.silent_share > SILENT_SHARE:
        return [f"silent for {quality.silent_share:.0%} of the time"]
    return []


def _notes(quality: Quality) -> list[str]:
    notes = []
    for kind, number, count in (
        ("video", quality.video_stream, quality.video_streams),
        ("audio", quality.sound_stream, quality.sound_streams),
    ):
        if count is not None and count > 1:
            notes.append(f"{kind} stream {number} of {count} taken (from 0)")
    lost = round((1 - quality.decoded_share) * quality.frames)
    if 0 < lost <= LOST_SHARE * quality.frames:
        notes.append(f"{plural(lost, 'frame')} failed to decode")
    if quality.sound_s is not None and abs(quality.sound_s - quality.duration_s) > 1:
        early = quality.duration_s - quality.sound_s
        notes.append(
            f"sound ends {abs(early):.1f} s {'before' if early > 0 else 'after'} the video"
        )
    return notes


def _fill_notes(fill: Path) -> list[str]:
    time_s, source = read_columns(fill, ["time_s", "source_frame"])
    distance = np.abs(time_s - time_s[source]).max(initial=0.0)
    return [f"faces taken from up to {distance:.1f} s away"] if distance > FAR_FACE_S else []


def plural(number: int, noun: str) -> str:
    """A number with a noun in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
