"""The report: one HTML page that opens offline, on a phone, and in print.

The page loads nothing and runs nothing: figures are pictures in data URIs, and a content security
policy forbids the rest. Jinja escapes every text, so a sample's name is never markup.
"""

import math
import statistics
import wave
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from circumplex.files import write_text
from circumplex.metrics import Target
from circumplex.prediction_tables import PredictionTable
from circumplex.report_figures import (
    COLOURS,
    DASHES,
    POINTS,
    Curve,
    Series,
    frame_duration,
    trace_figure,
    training_figure,
)
from circumplex.table import read_columns

TEMPLATES = Path(__file__).resolve().parents[2] / "report"
TEMPLATE = "report.html.j2"
LOW_FACE_SHARE = 0.8
SILENT_DBFS = -60.0
FAR_FACE_S = 1.0
MAX_TRACES = 60
OPEN_TRACES = 12
FULL_SCALE = 32768.0
BLOCK = 1 << 20


@dataclass(frozen=True)
class ReportSample:
    """What the run has of one sample.

    Attributes:
        name: of the sample.
        split: train, val, test or predict.
        subject: whose face in the video.
        group: never split over folds.
        faces: table of ``align_faces``.
        fill: table of ``fill_frames``.
        audio: 16-bit mono WAV of ``extract_audio``.
        labels: table of ``read_labels``.
        timeline: table of ``extract_frames``.
        failures: stage and reason, each.
        absent: what the sample has not, as ``audio: no audio stream``.
    """

    name: str
    split: str
    subject: str
    group: str
    faces: Path | None = None
    fill: Path | None = None
    audio: Path | None = None
    labels: Path | None = None
    timeline: Path | None = None
    failures: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportInputs:
    """What the report is made of.

    Attributes:
        title: of the page.
        samples: in the order of the sheet.
        random_weights: feature -> ``random:<seed>``.
        metrics: table with ``kind`` (model or ensemble), ``model``, ``experiment``, ``fold``,
            ``seed`` (-1: none), ``split``, ``target``, ``ccc``, ``frames``, ``samples``.
        ensembles: tables of predictions.
        training_logs: ``experiment/fold/seed0`` -> table with ``epoch``, ``train_loss``,
            ``ccc_valence``, ``ccc_arousal``; NaN or null without validation.
        submissions: name -> manifest with ``ensemble``, ``format``, ``folder``, ``files`` (name ->
            SHA-256) and ``missing`` samples.
        facts: versions, configuration, date, hardware.
    """

    title: str
    samples: tuple[ReportSample, ...]
    random_weights: Mapping[str, str]
    metrics: Path
    ensembles: Mapping[str, Path]
    training_logs: Mapping[str, Path]
    submissions: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, str]


@dataclass(frozen=True)
class CorpusRow:
    """A sample in the corpus table; NaN or none where there is nothing to measure.

    Attributes:
        sample: what the run has of it.
        duration_s: from the first frame to the end of the last.
        frames: of the timeline.
        face_share: share of frames with a valid face.
        has_audio: whether there is a WAV.
        level_dbfs: root mean square over the whole sound, in decibels to full scale; -inf where
            every value is 0.
        annotated: frames with annotation.
        warnings: what makes the sample suspicious.
        notes: what else to know.
    """

    sample: ReportSample
    duration_s: float
    frames: int | None
    face_share: float
    has_audio: bool
    level_dbfs: float
    annotated: int | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ScoreRow:
    """CCC of an ensemble, or of one trained model, on a split.

    Attributes:
        name: of the ensemble or the experiment.
        fold: empty for an ensemble.
        seed: -1 for an ensemble.
        split: what it was scored on.
        valence, arousal: CCC; NaN where undefined.
        frames: annotated frames scored.
        samples: samples that have any.
    """

    name: str
    fold: str
    seed: int
    split: str
    valence: float
    arousal: float
    frames: int
    samples: int

    @property
    def mean(self) -> float:
        """Mean CCC of the two targets, the challenge's score."""
        return (self.valence + self.arousal) / 2


@dataclass(frozen=True)
class Spread:
    """Mean over all runs, and how far seeds lie apart.

    Attributes:
        mean: over all folds and seeds.
        deviation: sample standard deviation over seeds of the mean over folds; NaN with one seed.
    """

    mean: float
    deviation: float


@dataclass(frozen=True)
class ExperimentRow:
    """CCC of an experiment on a split.

    Attributes:
        experiment, split: what was scored.
        folds, seeds: how many of each.
        scores: `Spread` of valence, arousal, and their mean.
    """

    experiment: str
    split: str
    folds: int
    seeds: int
    scores: tuple[Spread, Spread, Spread]


@dataclass(frozen=True)
class Trace:
    """A sample's figure.

    Attributes:
        sample: name.
        split: of the sample.
        annotated: whether the annotation is drawn.
        figure: data URI.
    """

    sample: str
    split: str
    annotated: bool
    figure: str


@dataclass(frozen=True)
class Training:
    """The training curves of an experiment.

    Attributes:
        experiment: name.
        runs: number of folds times seeds.
        epochs: most of any run.
        figure: data URI.
    """

    experiment: str
    runs: int
    epochs: int
    figure: str


def write_report(output: Path, inputs: ReportInputs) -> None:
    """Write the page, atomically.

    Sound is read in blocks and samples one after another, so memory grows only with what the page
    shows: a row a sample, and the figures of at most `MAX_TRACES` samples.

    Args:
        output: HTML file to write.
        inputs: what the run has made.

    Raises:
        OSError: a table or WAV named by the inputs is missing.
    """
    others_have_audio = any(sample.audio for sample in inputs.samples)
    corpus = [corpus_row(sample, audio_expected=others_have_audio) for sample in inputs.samples]
    ensembles, models = read_scores(inputs.metrics)
    summary = _summary(corpus, ensembles)
    # Sorting is stable: within each part the order of the sheet stays.
    corpus.sort(key=lambda row: (not row.sample.failures, not row.warnings))
    tables = {name: PredictionTable(path) for name, path in inputs.ensembles.items()}
    traced = _traced(corpus, tables)
    shown = tuple(tables)[: len(DASHES)]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(fixed=_fixed, count=_count, plural=_plural)
    page = environment.get_template(TEMPLATE).render(
        title=inputs.title,
        random_weights=dict(inputs.random_weights),
        summary=summary,
        corpus=corpus,
        failures=[(row.sample.name, *failure) for row in corpus for failure in row.sample.failures],
        suspicious=sum(1 for row in corpus if row.warnings and not row.sample.failures),
        low_face_share=LOW_FACE_SHARE,
        silent_dbfs=SILENT_DBFS,
        ensembles=ensembles,
        experiments=experiment_rows(models),
        models=models,
        traces=[
            _trace(row.sample, [tables[name] for name in shown]) for row in traced[:MAX_TRACES]
        ],
        traced=len(traced),
        open_traces=OPEN_TRACES,
        points=POINTS,
        strokes=[
            (name, " ".join(f"{d:g}" for d in dashes))
            for name, dashes in zip(shown, DASHES, strict=False)
        ],
        tables=dict(inputs.ensembles),
        trainings=list(_trainings(inputs.training_logs)),
        submissions=dict(inputs.submissions),
        facts=dict(inputs.facts),
        colours={target.value: colour for target, colour in COLOURS.items()},
    )
    write_text(output, page)


def corpus_row(sample: ReportSample, *, audio_expected: bool) -> CorpusRow:
    """Measure one sample.

    Args:
        sample: what the run has of it.
        audio_expected: a sample without sound is suspicious; not where no sample has any.
    """
    warnings = [f"failed in {stage}" for stage, _ in sample.failures]
    notes: list[str] = []
    time_s = _times(sample.timeline, notes)
    faces = None if sample.faces is None else read_columns(sample.faces, ["valid"])[0]
    face_share = float(faces.mean()) if faces is not None and len(faces) else math.nan
    if face_share < LOW_FACE_SHARE:
        warnings.append(f"face in {face_share:.1%} of the frames")
    if sample.fill is not None:
        notes += _fill_notes(sample.fill)
    level = math.nan if sample.audio is None else level_dbfs(sample.audio)
    if sample.audio is None:
        explained = sample.failures or any("audio" in text for text in sample.absent)
        if audio_expected and not explained:
            warnings.append("no audio")
    elif not level >= SILENT_DBFS:
        warnings.append("silent")
    warnings += sample.absent
    labels = None if sample.labels is None else read_columns(sample.labels, ["annotated"])[0]
    return CorpusRow(
        sample=sample,
        duration_s=math.nan if time_s is None else _end(time_s),
        frames=None if time_s is None else len(time_s),
        face_share=face_share,
        has_audio=sample.audio is not None,
        level_dbfs=level,
        annotated=None if labels is None else int(labels.sum()),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def level_dbfs(path: Path) -> float:
    """Root mean square of a 16-bit mono WAV in decibels to full scale, read in blocks.

    Returns:
        -inf where every value is 0, NaN where there is none.
    """
    total, count = 0.0, 0
    with wave.open(str(path), "rb") as file:
        while data := file.readframes(BLOCK):
            block = np.frombuffer(data, dtype="<i2") / FULL_SCALE
            total += float(block @ block)
            count += len(block)
    if count == 0:
        return math.nan
    return 10 * math.log10(total / count) if total > 0 else -math.inf


def read_scores(metrics: Path) -> tuple[list[ScoreRow], list[ScoreRow]]:
    """The rows of the CCC table, both targets in one row: those of ensembles, those of models."""
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for row in pq.read_table(metrics).to_pylist():
        ensemble = row["kind"] == "ensemble"
        name = row["model"] if ensemble else row["experiment"]
        fold, seed = ("", -1) if ensemble else (str(row["fold"]), row["seed"])
        scores = found[ensemble, name, fold, seed, row["split"]]
        scores[row["target"]] = math.nan if row["ccc"] is None else row["ccc"]
        scores["counts"] = row["frames"], row["samples"]
    parts: tuple[list[ScoreRow], list[ScoreRow]] = ([], [])
    for (ensemble, *key), scores in found.items():
        targets = [scores.get(target.value, math.nan) for target in Target]
        parts[not ensemble].append(ScoreRow(*key, *targets, *scores["counts"]))
    return parts


def experiment_rows(models: Sequence[ScoreRow]) -> list[ExperimentRow]:
    """The models' scores, an experiment and split a row."""
    grouped: dict[tuple[str, str], list[ScoreRow]] = defaultdict(list)
    for row in models:
        grouped[row.name, row.split].append(row)
    return [
        ExperimentRow(
            experiment,
            split,
            folds=len({row.fold for row in rows}),
            seeds=len({row.seed for row in rows}),
            scores=(
                _spread((row.seed, row.valence) for row in rows),
                _spread((row.seed, row.arousal) for row in rows),
                _spread((row.seed, row.mean) for row in rows),
            ),
        )
        for (experiment, split), rows in grouped.items()
    ]


def _spread(scores: Iterable[tuple[int, float]]) -> Spread:
    by_seed: dict[int, list[float]] = defaultdict(list)
    for seed, score in scores:
        by_seed[seed].append(score)
    means = [statistics.fmean(values) for values in by_seed.values()]
    everything = [score for values in by_seed.values() for score in values]
    # statistics.stdev refuses what is not finite.
    known = len(means) > 1 and all(map(math.isfinite, means))
    return Spread(statistics.fmean(everything), statistics.stdev(means) if known else math.nan)


def _times(timeline: Path | None, notes: list[str]) -> NDArray[np.float64] | None:
    if timeline is None:
        return None
    time_s, decoded = read_columns(timeline, ["time_s", "decoded"])
    lost = int((~decoded).sum())
    if 0 < lost < len(decoded):
        notes.append(f"{_plural(lost, 'frame')} failed to decode")
    return time_s


def _end(time_s: NDArray[np.float64]) -> float:
    return float(time_s[-1] - time_s[0]) + frame_duration(time_s) if len(time_s) else 0.0


def _fill_notes(fill: Path) -> list[str]:
    time_s, source = read_columns(fill, ["time_s", "source_frame"])
    filled = source >= 0
    if len(source) and not filled.any():
        return ["no face at all: visual features are zeros"]
    distance = np.abs(time_s[filled] - time_s[source[filled]]).max(initial=0.0)
    return [f"faces taken from up to {distance:.1f} s away"] if distance > FAR_FACE_S else []


def _summary(corpus: Sequence[CorpusRow], ensembles: Sequence[ScoreRow]) -> list[str]:
    splits = Counter(row.sample.split for row in corpus)
    parts = ", ".join(f"{number:,} {split}" for split, number in splits.items())
    hours = math.fsum(row.duration_s for row in corpus if row.frames) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} minutes"
    frames = sum(row.frames or 0 for row in corpus)
    lines = [
        f"{_plural(len(corpus), 'sample')}{f' ({parts})' if parts else ''}, "
        f"{length} of video, {_plural(frames, 'frame')}."
    ]
    scored = [row for row in ensembles if row.split != "train" and math.isfinite(row.mean)]
    if scored:
        best = max(scored, key=lambda row: row.mean)
        lines.append(
            f"Best ensemble: {best.name}, on {best.split}: CCC {best.valence:.3f} valence, "
            f"{best.arousal:.3f} arousal, {best.mean:.3f} mean."
        )
    return lines


def _traced(corpus: Iterable[CorpusRow], tables: Mapping[str, PredictionTable]) -> list[CorpusRow]:
    """Samples of any ensemble: those with annotation to compare with first."""
    predicted = [row for row in corpus if any(row.sample.name in t for t in tables.values())]
    return sorted(predicted, key=lambda row: not row.annotated)


def _trace(sample: ReportSample, tables: Sequence[PredictionTable]) -> Trace:
    name = sample.name
    predictions = [
        Series(table.time_s(name), table.values(name)) if name in table else None
        for table in tables
    ]
    annotation = faces = None
    if sample.labels is not None:
        time_s, *targets, annotated = read_columns(
            sample.labels, ["time_s", *(target.value for target in Target), "annotated"]
        )
        values = np.where(annotated[:, None], np.stack(targets, axis=1), np.nan)
        annotation = Series(time_s, values)
    if sample.faces is not None:
        time_s, valid = read_columns(sample.faces, ["time_s", "valid"])
        faces = Series(time_s, valid.astype(np.float32))
    figure = trace_figure(predictions, annotation, faces)
    return Trace(name, sample.split, annotation is not None, figure)


def _trainings(logs: Mapping[str, Path]) -> Iterable[Training]:
    experiments: dict[str, list[Curve]] = defaultdict(list)
    columns = ["epoch", "train_loss", *(f"ccc_{target}" for target in Target)]
    for run, path in logs.items():
        epoch, loss, *ccc = read_columns(path, columns)
        # Without validation a column may be null: as float64 it is NaN.
        scores = np.stack([np.asarray(values, dtype=np.float64) for values in ccc], axis=1)
        experiments[run.rsplit("/", 2)[0]].append(Curve(epoch, loss, scores))
    for experiment, curves in experiments.items():
        epochs = max(len(curve.epoch) for curve in curves)
        yield Training(experiment, len(curves), epochs, training_figure(curves))


def _fixed(value: float, decimals: int = 3) -> str:
    """A number with a fixed number of decimals and a true minus; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:,.{decimals}f}".replace("-", "−").replace("inf", "∞")


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
