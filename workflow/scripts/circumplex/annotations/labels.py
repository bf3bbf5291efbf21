"""Read a sample's annotations and write one row per video frame."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.annotations import formats
from circumplex.annotations.annotators import combine, measure_agreement
from circumplex.annotations.recognition import annotator_files
from circumplex.annotations.traces import Trace, resample, rescale
from circumplex.config.annotations import AnnotationTable, Combination, TimeUnit
from circumplex.errors import SampleError
from circumplex.io.parquet import TableWriter, describe, frame_schema, read_columns
from circumplex.media.resampling import count_video_frames, read_sources
from circumplex.targets import Target

SCHEMA = frame_schema(
    describe("valence", pa.float32(), "annotated valence in [-1, 1]; NaN without annotation"),
    describe("arousal", pa.float32(), "annotated arousal in [-1, 1]; NaN without annotation"),
    describe("annotated", pa.bool_(), "whether the frame is annotated, for one target at least"),
)
ALWAYS_ACCEPTED = 5
"""Rows that annotation and video may differ by whatever the share allows."""
LEAST_OVERRUN_S = 2.0
"""Seconds that an annotation with times may go on beyond the video's end."""
MILLISECONDS = 1000.0
MOST_ANNOTATORS = 1000


@dataclass(frozen=True)
class Limits:
    """How far an annotation and its video may differ.

    Attributes:
        rows: rows at most, of an annotation with one row per frame.
        share: the same as a share of the video's frames, `ALWAYS_ACCEPTED` rows being within it;
            none for no such limit. Of the video's length, for annotations with times.
    """

    rows: int
    share: float | None = None

    def accepted(self, frames: int) -> int:
        """Rows that an annotation of a video of so many frames may differ by."""
        if self.share is None:
            return self.rows
        return min(self.rows, max(ALWAYS_ACCEPTED, int(self.share * frames)))


@dataclass(frozen=True)
class Annotations:
    """A sample's files of annotation.

    Attributes:
        both: file that says itself what it holds, valence and arousal or one of them.
        valence: file of valence alone.
        arousal: file of arousal alone.

    Each may be a folder with a file per annotator.
    """

    both: Path | None = None
    valence: Path | None = None
    arousal: Path | None = None

    def given(self) -> list[tuple[Target | None, Path]]:
        """The files, each with its target, where the sheet says it."""
        files = ((None, self.both), (Target.VALENCE, self.valence), (Target.AROUSAL, self.arousal))
        return [(target, path) for target, path in files if path is not None]


@dataclass
class _Frames:
    """What the annotators say of each frame.

    Attributes:
        traces: by target, (frames,) of each annotator, NaN where one has no value.
        facts: counts for the metadata.
    """

    traces: dict[Target, list[NDArray[np.float64]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    facts: dict[str, int] = field(
        default_factory=lambda: {"rows_dropped": 0, "frames_unannotated": 0}
    )


def read_annotation(annotation: Path, layout: str) -> NDArray[np.float32]:
    """Read an annotation with one row per frame, by the function ``read`` of its layout's module.

    Args:
        annotation: file or folder.
        layout: name of a module of `circumplex.annotations.formats`.

    Returns:
        Array (rows, 2) of valence and arousal in [-1, 1], row k for the video's frame k, from 0;
        NaN where a frame is not annotated.

    Raises:
        SampleError: it is missing, unreadable, or not of this layout.
    """
    values: NDArray[np.float32] = _reader_of(layout).read(annotation)
    return values


def read_labels(
    annotation: Path | Annotations,
    timeline: Path,
    output: Path,
    *,
    max_difference: int,
    metadata: Mapping[str, Any],
    layout: str = "affwild2",
    max_difference_share: float | None = None,
    longest_gap_s: float = 2.0,
    lag_s: float = 0.0,
    combination: str = Combination.MEAN,
    table: Mapping[str, Any] | None = None,
) -> None:
    """Write ``valence``, ``arousal`` and ``annotated``, one row per frame of the timeline.

    Values of frames without annotation are NaN. An annotation with one row per frame and its video
    may differ by a few frames: rows past the video's end are dropped, frames past the annotation's
    end are unannotated. The metadata counts both. Of annotations with times see
    `circumplex.annotations.traces.resample`.

    Args:
        annotation: file of the annotation, or the files of a sample.
        timeline: the sample's timeline, of the video's frames or a regular one.
        output: table to write.
        max_difference: largest accepted difference between the numbers of rows and frames.
        metadata: metadata to write into the table.
        layout: layout of the annotation; see `circumplex.annotations.formats`.
        max_difference_share: the same as a share of the frames; none for no such limit.
        longest_gap_s: seconds between two rows with times up to which frames are interpolated.
        lag_s: seconds by which annotators react late.
        combination: how several annotators are combined.
        table: the config's section ``labels.table``.

    Raises:
        SampleError: an annotation is missing, unreadable, empty, of another length, or of no frame.
    """
    files = annotation if isinstance(annotation, Annotations) else Annotations(annotation)
    options = AnnotationTable.read(table or {}, "labels.table")
    frame, time_s = read_columns(timeline, ["frame", "time_s"])
    found = _Frames()
    reader = _reader_of(layout)
    for target, path in files.given():
        if hasattr(reader, "read_traces"):
            traces = [
                (file, trace)
                for file in annotator_files(path) or [path]
                for trace in reader.read_traces(file, target, options)
            ]
            shift = (time_s, lag_s, longest_gap_s, max_difference_share)
            _add_traces(found, traces, options, *shift)
        else:
            limits = Limits(max_difference, max_difference_share)
            rows = _place_rows(reader.read(path), path, timeline, limits, found.facts)
            _add_rows(found, rows, target, time_s, lag_s, longest_gap_s)
    values, facts = _combine(found, len(time_s), Combination(combination))
    annotated = ~np.isnan(values).all(axis=1)
    if not annotated.any():
        names = " and ".join(str(path) for _, path in files.given())
        raise SampleError(f"annotation {names} annotates no frame: all rows are unannotated")
    lag = {"lag_s": lag_s} if lag_s else {}
    with TableWriter(output, SCHEMA, {**metadata, **found.facts, **facts, **lag}) as writer:
        writer.write(
            frame=frame,
            time_s=time_s,
            valence=values[:, 0],
            arousal=values[:, 1],
            annotated=annotated,
        )


def _reader_of(layout: str) -> ModuleType:
    return import_module(f"{formats.__name__}.{layout}")


def _place_rows(
    rows: NDArray[np.float32],
    annotation: Path,
    timeline: Path,
    limits: Limits,
    facts: dict[str, int],
) -> NDArray[np.float32]:
    """Put rows per frame of the video on the timeline's frames, (frames, 2)."""
    frames = count_video_frames(timeline)
    difference = len(rows) - frames
    if abs(difference) > (accepted := limits.accepted(frames)):
        raise SampleError(
            f"annotation {annotation} has {len(rows)} rows for {frames} video frames, a "
            f"difference of more than {accepted}: is it the annotation of this video, at the "
            "video's rate? labels.max_difference and labels.max_difference_share say how many are "
            "accepted; without a video, labels.max_difference_without_video"
        )
    values = np.full((frames, 2), np.nan, dtype=np.float32)
    shared = min(len(rows), frames)
    values[:shared] = rows[:shared]
    facts["rows_dropped"] += max(difference, 0)
    facts["frames_unannotated"] += max(-difference, 0)
    source = read_sources(timeline)
    return values if source is None else values[source]


def _add_rows(
    found: _Frames,
    rows: NDArray[np.float32],
    target: Target | None,
    time_s: NDArray[np.float64],
    lag_s: float,
    longest_gap_s: float,
) -> None:
    """Add rows per frame, shifted by the lag."""
    for column, of in enumerate(Target):
        if target in (None, of):
            values = rows[:, column].astype(np.float64)
            if lag_s:
                trace = Trace(of, "", time_s, values)
                values = resample(trace, values, time_s + lag_s, longest_gap_s)
            found.traces[of].append(values)


def _add_traces(
    found: _Frames,
    traces: Sequence[tuple[Path, Trace]],
    options: AnnotationTable,
    time_s: NDArray[np.float64],
    lag_s: float,
    longest_gap_s: float,
    share: float | None,
) -> None:
    """Add traces with times, resampled to the frames."""
    if len(traces) > MOST_ANNOTATORS:
        raise SampleError(
            f"annotation {traces[0][0]} has {len(traces)} traces, more than the {MOST_ANNOTATORS} "
            "that are combined: is one of its columns taken for the annotators' names?"
        )
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    end_s = float(time_s[-1]) + step_s
    for file, trace in traces:
        _check_end(file, trace, end_s, share)
        found.facts["rows_dropped"] += int((trace.time_s > end_s).sum())
        values = rescale(file, trace, options.range)
        placed = resample(trace, values, time_s + lag_s, longest_gap_s)
        found.traces[trace.target].append(placed)


def _check_end(file: Path, trace: Trace, end_s: float, share: float | None) -> None:
    """Refuse a trace that goes on far beyond the video, or whose unit of time is wrong.

    Raises:
        SampleError: it does; the message names the unit, where the other one fits.
    """
    accepted = end_s + max(LEAST_OVERRUN_S, (share or 0.0) * end_s)
    last = trace.last_s
    advice = "is it the annotation of this video? labels.max_difference_share says what is accepted"
    if last > accepted:
        fits = trace.unit is not TimeUnit.MILLISECONDS and last / MILLISECONDS <= accepted
        if fits and last / MILLISECONDS > end_s / 10:
            advice = "its times look like milliseconds: set labels.table.unit to ms"
    elif trace.unit is TimeUnit.MILLISECONDS and end_s / 10 < last * MILLISECONDS <= accepted:
        advice = "its times look like seconds: set labels.table.unit to s"
    else:
        return
    raise SampleError(
        f"annotation {file} ends at {last:g} s, read as "
        f"{'milliseconds' if trace.unit is TimeUnit.MILLISECONDS else 'seconds'}, and the video at "
        f"{end_s:g} s: {advice}"
    )


def _combine(
    found: _Frames, frames: int, how: Combination
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Values (frames, 2) of all annotators together, and their agreement for the metadata."""
    values = np.full((frames, 2), np.nan, dtype=np.float32)
    agreement = {}
    for column, target in enumerate(Target):
        traces = found.traces[target]
        if not traces:
            continue
        combined, weights = combine(traces, how)
        values[:, column] = combined
        if len(traces) > 1:
            measured = asdict(measure_agreement(traces))
            agreement[target.value] = {**measured, "weights": weights.round(6).tolist()}
    return values, {"agreement": agreement} if agreement else {}


def read_labels_table(path: Path) -> NDArray[np.float32]:
    """Read a table of labels as (frames, 2); a target is NaN where it is not annotated."""
    valence, arousal, annotated = read_columns(path, ["valence", "arousal", "annotated"])
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~annotated.astype(bool)] = np.nan
    return values
