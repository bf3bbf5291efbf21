"""The corpus in the report: the tables of each sample, and warnings about suspicious ones."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from circumplex.io.parquet import read_columns
from circumplex.report.agreement import describe_annotators
from circumplex.report.face_strip import cut_strip
from circumplex.report.quality import Quality, read_quality, read_sheet
from circumplex.report.rendering import data_uri, plural

LOW_FACE_SHARE = 0.8
SILENT_DBFS = -60.0
SILENT_SHARE = 0.5
"""Of the time between first and last sound, from which on a sample of a small corpus is silent."""
FEWEST = 8
"""Samples with sound from which on a corpus shows what is usual in it."""
UNUSUAL_DEVIATIONS, UNUSUAL_SHARE = 3.0, 0.25
"""How far above the corpus's median a share must lie to be unusual: both."""
MAD_TO_DEVIATION = 1.4826
"""Of a normal distribution, its standard deviation over its median absolute deviation."""
SMALL_FACE_PX = 40
SWITCHES_PER_MINUTE = 6.0
LOST_SHARE = 0.01
FAR_FACE_S = 1.0
SHORT_S, ONSET_S = 10.0, 0.3
"""Median length and median silence at the start, from which on clips are short and begin late."""
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
        content = self._sheet_bytes
        return None if content is None else data_uri(content, "image/jpeg")

    @property
    def strip(self) -> str | None:
        """The faces of the contact sheet in a row, as a data URI; None if there is none."""
        content = self._sheet_bytes
        if content is None or self.quality is None:
            return None
        strip = cut_strip(content, self.quality.frames)
        return None if strip is None else data_uri(strip, "image/jpeg")

    @property
    def _sheet_bytes(self) -> bytes | None:
        return None if self.sample.quality is None else read_sheet(self.sample.quality)


@dataclass(frozen=True)
class WarningGroup:
    """A warning that several samples have, perhaps with other numbers.

    Attributes:
        text: the warning of the first of them.
        samples: their names.
        varies: whether others have other numbers.
    """

    text: str
    samples: tuple[str, ...]
    varies: bool


def group_warnings(corpus: Iterable[CorpusRow]) -> Sequence[WarningGroup]:
    """Warnings by their words, whatever the numbers in them; the rarest first.

    What few samples have is news; what most have says something of the corpus. Failed samples are
    listed elsewhere.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    samples: dict[str, list[str]] = defaultdict(list)
    for row in corpus:
        for warning in () if row.sample.failures else row.warnings:
            words = re.sub(r"\d[\d.,]*", "0", warning)
            texts[words].append(warning)
            samples[words].append(row.sample.name)
    groups = [
        WarningGroup(texts[words][0], tuple(names), len(set(texts[words])) > 1)
        for words, names in samples.items()
    ]
    return sorted(groups, key=lambda group: len(group.samples))


@dataclass(frozen=True)
class Usual:
    """What is usual of a share in a corpus.

    Attributes:
        median: median over its samples; None where they are too few to show it.
        limit: share above which a sample is unusual.
    """

    median: float | None = None
    limit: float = SILENT_SHARE

    @classmethod
    def of(cls, shares: Sequence[float | None]) -> Self:
        """Median and limit of the samples that have the share, robust against a few of them."""
        known = np.array([share for share in shares if share is not None])
        if len(known) < FEWEST:
            return cls()
        median = float(np.median(known))
        spread = MAD_TO_DEVIATION * float(np.median(np.abs(known - median)))
        return cls(median, median + max(UNUSUAL_DEVIATIONS * spread, UNUSUAL_SHARE))


@dataclass(frozen=True)
class UsualSilence:
    """What is usual in a corpus of its samples' silence.

    Attributes:
        whole: of the whole sound.
        inner: between its first and last part that is not silent.
    """

    whole: Usual = Usual()
    inner: Usual = Usual()

    @classmethod
    def of(cls, qualities: Sequence[Quality]) -> Self:
        """What is usual over the samples of a corpus."""
        return cls(
            Usual.of([quality.silent_share for quality in qualities]),
            Usual.of([quality.inner_silent_share for quality in qualities]),
        )


def describe_onsets(corpus: Iterable[CorpusRow], causal: Sequence[str]) -> str:
    """A warning where most samples are short and begin in silence, and models read forward alone.

    Args:
        corpus: rows of the samples.
        causal: experiments whose encoder reads no frame after the one that it predicts.
    """
    facts = [row.quality for row in corpus if row.quality is not None]
    onsets = [quality.onset_s for quality in facts if quality.onset_s is not None]
    if not causal or len(onsets) < FEWEST:
        return ""
    duration_s = float(np.median([quality.duration_s for quality in facts]))
    onset_s = float(np.median(onsets))
    if duration_s > SHORT_S or onset_s < ONSET_S:
        return ""
    return (
        f"Half of the samples last {duration_s:.1f} s or less and begin with {onset_s:.1f} s of "
        f"silence or more. The encoder of {', '.join(causal)} reads forward alone and knows "
        "nothing of a clip before it sounds: bilstm and transformer read whole segments "
        "(docs/training.md)."
    )


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


def make_rows(samples: Sequence[ReportSample]) -> list[CorpusRow]:
    """Make the rows of a corpus, each sample judged by what is usual in it."""
    qualities = [None if s.quality is None else read_quality(s.quality) for s in samples]
    known = [quality for quality in qualities if quality is not None]
    usual = UsualSilence.of(known)
    audio_expected = any(quality.sound_s is not None for quality in known)
    return [
        make_row(sample, quality, usual, audio_expected=audio_expected)
        for sample, quality in zip(samples, qualities, strict=True)
    ]


def make_row(
    sample: ReportSample,
    quality: Quality | None,
    usual: UsualSilence = UsualSilence(),
    *,
    audio_expected: bool,
) -> CorpusRow:
    """Make the row of a sample, with its warnings and notes.

    Args:
        sample: tables and problems of the sample.
        quality: its statistics, if it has come so far.
        usual: silence that is usual in its corpus.
        audio_expected: whether a sample without sound is suspicious; false if no sample has sound.
    """
    warnings = [f"failed in {stage}" for stage, _ in sample.failures]
    notes: list[str] = []
    if quality is not None:
        warnings += _face_warnings(quality)
        explained = any("audio" in text for text in sample.absent)
        expected = audio_expected and not explained
        warnings += _sound_warnings(quality, usual, expected=expected)
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


def _sound_warnings(quality: Quality, usual: UsualSilence, *, expected: bool) -> list[str]:
    found = _level_warnings(quality, usual, expected=expected)
    if quality.sound_missing_s:
        missing = f"{quality.sound_missing_s:.1f} s of the announced sound are missing: cut off?"
        return [missing, *found]
    return found


def _level_warnings(quality: Quality, usual: UsualSilence, *, expected: bool) -> list[str]:
    if quality.sound_s is None:
        return ["no audio"] if expected else []
    if quality.level_dbfs is None or quality.level_dbfs < SILENT_DBFS:
        return ["silent"]
    inner, whole = quality.inner_silent_share, quality.silent_share
    if inner is not None and inner > usual.inner.limit:
        return [
            f"silent for {inner:.0%} of the time from first to last sound{_beside(usual.inner)}"
        ]
    # Silence at the margins is judged only where the corpus shows how much of it is usual.
    if usual.whole.median is not None and whole is not None and whole > usual.whole.limit:
        return [f"silent for {whole:.0%} of the time{_beside(usual.whole)}"]
    return []


def _beside(usual: Usual) -> str:
    return "" if usual.median is None else f" (usual here: {usual.median:.0%})"


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
