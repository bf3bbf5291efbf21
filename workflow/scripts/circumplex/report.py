"""The report: one HTML page that opens offline, on a phone, and in print.

The page loads nothing and runs nothing: figures are pictures in data URIs, and a content security
policy forbids the rest. Jinja escapes every text, so a sample's name is never markup.
"""

import base64
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pyarrow.parquet as pq

from circumplex.cards import Card
from circumplex.files import write_text
from circumplex.metrics import Target
from circumplex.prediction_tables import PredictionTable
from circumplex.quality import Quality, read_quality, read_sheet
from circumplex.report_figures import (
    COLOURS,
    DASHES,
    POINTS,
    Curve,
    Series,
    trace_figure,
    training_figure,
)
from circumplex.table import read_columns

TEMPLATES = Path(__file__).resolve().parents[2] / "report"
TEMPLATE = "report.html.j2"
SHEETS_TEMPLATE = "contact_sheets.html.j2"
LOW_FACE_SHARE = 0.8
SILENT_DBFS = -60.0
SILENT_SHARE = 0.5
SMALL_FACE_PX = 40
SWITCHES_A_MINUTE = 6.0
LOST_SHARE = 0.01
FAR_FACE_S = 1.0
MAX_SHEETS = 20
MAX_TRACES = 60
OPEN_TRACES = 12


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
        labels: table of ``read_labels``.
        quality: table of ``summarise_quality``.
        failures: stage and reason, each.
        absent: what the sample has not, as ``audio: no audio stream``.
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
        cards: of the features in use.
    """

    title: str
    samples: tuple[ReportSample, ...]
    random_weights: Mapping[str, str]
    metrics: Path
    ensembles: Mapping[str, Path]
    training_logs: Mapping[str, Path]
    submissions: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, str]
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class CorpusRow:
    """A sample in the corpus table.

    Attributes:
        sample: what the run has of it.
        quality: its faces and sound; none where it failed before.
        annotated: frames with annotation.
        warnings: what makes the sample suspicious.
        notes: what else to know.
    """

    sample: ReportSample
    quality: Quality | None
    annotated: int | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def suspicion(self) -> tuple[bool, int, float]:
        """Order of looking at samples: failed, many warnings, few faces and much silence."""
        known = self.quality
        badness = 0.0
        if known is not None:
            badness = 1 - (known.valid_share or 0.0) + (known.silent_share or 0.0)
        return not self.sample.failures, -len(self.warnings), -badness

    @property
    def sheet(self) -> str | None:
        """The contact sheet as a data URI, read when it is asked for."""
        content = None if self.sample.quality is None else read_sheet(self.sample.quality)
        if content is None:
            return None
        return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


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


def write_report(output: Path, inputs: ReportInputs, sheets: Sequence[Path] = ()) -> None:
    """Write the page, atomically, and the pages with every sample's contact sheet.

    Samples are read one after another, so memory grows only with what a page shows: a row a
    sample, the figures of at most `MAX_TRACES` samples, the contact sheets of `MAX_SHEETS`.

    Args:
        output: HTML file to write.
        inputs: what the run has made.
        sheets: further HTML files to write, in one folder beside the page; the samples are
            divided among them.

    Raises:
        OSError: a table named by the inputs is missing.
    """
    others_have_sound = any(_has_sound(sample) for sample in inputs.samples)
    corpus = [corpus_row(sample, audio_expected=others_have_sound) for sample in inputs.samples]
    ensembles, models = read_scores(inputs.metrics)
    summary = _summary(corpus, ensembles)
    # Sorting is stable: among equals the order of the sheet stays.
    corpus.sort(key=lambda row: row.suspicion)
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
    environment.filters.update(
        fixed=_fixed, count=_count, plural=_plural, percent=_percent, decibels=_decibels
    )
    names = [f"{path.parent.name}/{path.name}" for path in sheets]
    page = environment.get_template(TEMPLATE).render(
        title=inputs.title,
        random_weights=dict(inputs.random_weights),
        summary=summary,
        corpus=corpus,
        failures=[(row.sample.name, *failure) for row in corpus for failure in row.sample.failures],
        suspicious=sum(1 for row in corpus if row.warnings and not row.sample.failures),
        low_face_share=LOW_FACE_SHARE,
        silent_dbfs=SILENT_DBFS,
        max_sheets=MAX_SHEETS,
        sheet_pages=names,
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
        cards=inputs.cards,
        colours={target.value: colour for target, colour in COLOURS.items()},
    )
    template = environment.get_template(SHEETS_TEMPLATE)
    share = -(-len(corpus) // max(len(sheets), 1))
    for number, path in enumerate(sheets):
        first = number * share
        write_text(
            path,
            template.render(
                title=inputs.title,
                report=output.name,
                rows=corpus[first : first + share],
                first=first + 1,
                samples=len(corpus),
                pages=[other.name for other in sheets],
                number=number,
            ),
        )
    write_text(output, page)


def _has_sound(sample: ReportSample) -> bool:
    return sample.quality is not None and read_quality(sample.quality).sound_s is not None


def corpus_row(sample: ReportSample, *, audio_expected: bool) -> CorpusRow:
    """Judge one sample.

    Args:
        sample: what the run has of it.
        audio_expected: a sample without sound is suspicious; not where no sample has any.
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
    # Two switches are one look away; a minute's worth of a short clip would be less.
    switches = quality.switches or 0
    if switches > max(2.0, SWITCHES_A_MINUTE * quality.duration_s / 60):
        found.append(f"{switches} switches of the tracker")
    # Sound alone has no picture in any frame, and nothing is lost.
    if 0 < quality.decoded_share < 1 - LOST_SHARE:
        found.append(f"{1 - quality.decoded_share:.1%} of the frames failed to decode")
    return found


def _sound_warnings(quality: Quality, *, expected: bool) -> list[str]:
    if quality.sound_s is None:
        return ["no audio"] if expected else []
    if quality.level_dbfs is None or quality.level_dbfs < SILENT_DBFS:
        return ["silent"]
    if quality.silent_share is not None and quality.silent_share > SILENT_SHARE:
        return [f"silent for {quality.silent_share:.0%} of the time"]
    return []


def _notes(quality: Quality) -> list[str]:
    notes = []
    lost = round((1 - quality.decoded_share) * quality.frames)
    if 0 < lost <= LOST_SHARE * quality.frames:
        notes.append(f"{_plural(lost, 'frame')} failed to decode")
    if quality.sound_s is not None and abs(quality.sound_s - quality.duration_s) > 1:
        early = quality.duration_s - quality.sound_s
        notes.append(
            f"sound ends {abs(early):.1f} s {'before' if early > 0 else 'after'} the video"
        )
    return notes


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


def _fill_notes(fill: Path) -> list[str]:
    time_s, source = read_columns(fill, ["time_s", "source_frame"])
    filled = source >= 0
    distance = np.abs(time_s[filled] - time_s[source[filled]]).max(initial=0.0)
    return [f"faces taken from up to {distance:.1f} s away"] if distance > FAR_FACE_S else []


def _summary(corpus: Sequence[CorpusRow], ensembles: Sequence[ScoreRow]) -> list[str]:
    splits = Counter(row.sample.split for row in corpus)
    parts = ", ".join(f"{number:,} {split}" for split, number in splits.items())
    known = [row.quality for row in corpus if row.quality is not None]
    hours = math.fsum(quality.duration_s for quality in known) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} minutes"
    frames = sum(quality.frames for quality in known)
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


def _fixed(value: float | None, decimals: int = 3) -> str:
    """A number with a fixed number of decimals and a true minus; a dash for none and NaN."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.{decimals}f}".replace("-", "−").replace("inf", "∞")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _decibels(quality: Quality | None) -> str:
    """Level of the sound; what is missing is said."""
    if quality is None:
        return "–"
    return "none" if quality.sound_s is None else _fixed(quality.level_dbfs, 1)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
