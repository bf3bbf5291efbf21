"""Write the report: one HTML page that can be read offline, on a phone, and in print.

The page loads no other file and runs no script: figures are data URIs, and a content security
policy forbids anything else. Jinja escapes every text, so that a sample's name is never markup.
"""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from circumplex.io.atomic import write_text
from circumplex.io.parquet import read_columns
from circumplex.predictions.table import PredictionTable
from circumplex.report.agreement import describe_agreement
from circumplex.report.corpus import (
    LOW_FACE_SHARE,
    SILENT_DBFS,
    CorpusRow,
    ReportSample,
    describe_rates,
    make_row,
    plural,
)
from circumplex.report.feature_cards import Card
from circumplex.report.figures import (
    COLOURS,
    DASHES,
    POINTS,
    Curve,
    Series,
    trace_figure,
    training_figure,
)
from circumplex.report.quality import Quality, read_quality
from circumplex.report.scores import ScoreRow, read_scores, summarise_experiments
from circumplex.targets import Target

logger = logging.getLogger(__name__)
TEMPLATES = Path(__file__).with_name("templates")
TEMPLATE = "report.html.j2"
SHEETS_TEMPLATE = "contact_sheets.html.j2"
MAX_SHEETS = 20
MAX_TRACES = 60
OPEN_TRACES = 12


@dataclass(frozen=True)
class ReportInputs:
    """Contents of the report.

    Attributes:
        title: title of the page.
        samples: samples in the order of the sheet.
        random_weights: ``random:<seed>`` by feature.
        pretrained: cards of the pretrained models; see `circumplex.pipeline.model_cards`.
        metrics: table with ``kind`` (model or ensemble), ``model``, ``experiment``, ``fold``,
            ``seed`` (-1: none), ``split``, ``target``, ``ccc``, ``frames``, ``samples``.
        ensembles: tables of predictions by ensemble.
        training_logs: ``experiment/fold/seed0`` -> table with ``epoch``, ``train_loss``,
            ``ccc_valence``, ``ccc_arousal``; NaN or null without validation.
        submissions: name -> manifest with ``ensemble``, ``format``, ``folder``, ``files`` (name ->
            SHA-256) and ``missing`` samples.
        facts: versions, configuration, date and hardware.
        cards: cards of the features in use.
        backbones: cards of the networks that the run trained on still images.
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
    backbones: tuple[Mapping[str, Any], ...] = ()
    pretrained: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Trace:
    """Figure of a sample's predictions.

    Attributes:
        sample: name of the sample.
        split: split of the sample.
        annotated: whether the annotation is drawn.
        figure: data URI of the figure.
    """

    sample: str
    split: str
    annotated: bool
    figure: str


@dataclass(frozen=True)
class Training:
    """Training curves of an experiment.

    Attributes:
        experiment: name of the experiment.
        runs: number of folds times seeds.
        epochs: largest number of epochs of a run.
        figure: data URI of the figure.
    """

    experiment: str
    runs: int
    epochs: int
    figure: str


def write_report(output: Path, inputs: ReportInputs, sheets: Sequence[Path] = ()) -> None:
    """Write the page and the pages with every sample's contact sheet, atomically.

    Samples are read one by one, so that memory grows only with what the page shows: one row per
    sample, the figures of at most `MAX_TRACES` samples, and the contact sheets of `MAX_SHEETS`.

    Args:
        output: HTML file to write.
        inputs: contents of the report.
        sheets: further HTML files to write, in one folder beside the page; the samples are
            divided among them.

    Raises:
        OSError: a table named by the inputs is missing.
    """
    others_have_sound = any(_has_sound(sample) for sample in inputs.samples)
    corpus = [make_row(sample, audio_expected=others_have_sound) for sample in inputs.samples]
    scores = _score_sections(inputs, corpus)
    if mixed_rates := describe_rates(corpus):
        logger.warning(mixed_rates)
    # Sorting is stable: among equal samples, the order of the sheet remains.
    corpus.sort(key=lambda row: row.suspicion)
    environment = _make_environment()
    page = environment.get_template(TEMPLATE).render(
        title=inputs.title,
        random_weights=dict(inputs.random_weights),
        mixed_rates=mixed_rates,
        agreement=describe_agreement(s.labels for s in inputs.samples if s.labels is not None),
        submissions=dict(inputs.submissions),
        facts=dict(inputs.facts),
        cards=inputs.cards,
        backbones=inputs.backbones,
        pretrained=inputs.pretrained,
        trainings=list(_draw_trainings(inputs.training_logs)),
        **scores,
        **_corpus_section(corpus, sheets),
        **_trace_section(corpus, inputs.ensembles),
    )
    _write_sheets(environment.get_template(SHEETS_TEMPLATE), output, inputs.title, corpus, sheets)
    write_text(output, page)


def _make_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        fixed=_fixed, count=_count, plural=plural, percent=_percent, decibels=_decibels
    )
    return environment


def _score_sections(inputs: ReportInputs, corpus: Sequence[CorpusRow]) -> dict[str, Any]:
    """Values of the template for the summary and the tables of scores."""
    ensembles, models = read_scores(inputs.metrics)
    return {
        "summary": _summarise(corpus, ensembles),
        "ensembles": ensembles,
        "experiments": summarise_experiments(models),
        "models": models,
    }


def _corpus_section(corpus: Sequence[CorpusRow], sheets: Sequence[Path]) -> dict[str, Any]:
    """Values of the template for the table of samples and its contact sheets."""
    return {
        "corpus": corpus,
        "failures": [
            (row.sample.name, *failure) for row in corpus for failure in row.sample.failures
        ],
        "suspicious": sum(1 for row in corpus if row.warnings and not row.sample.failures),
        "low_face_share": LOW_FACE_SHARE,
        "silent_dbfs": SILENT_DBFS,
        "max_sheets": MAX_SHEETS,
        "sheet_pages": [f"{path.parent.name}/{path.name}" for path in sheets],
    }


def _trace_section(corpus: Sequence[CorpusRow], ensembles: Mapping[str, Path]) -> dict[str, Any]:
    """Values of the template for the figures of predictions."""
    tables = {name: PredictionTable(path) for name, path in ensembles.items()}
    predicted = _select_predicted(corpus, tables)
    shown = tuple(tables)[: len(DASHES)]
    return {
        "traces": [
            _draw_trace(row.sample, [tables[name] for name in shown])
            for row in predicted[:MAX_TRACES]
        ],
        "traced": len(predicted),
        "open_traces": OPEN_TRACES,
        "points": POINTS,
        "strokes": [
            (name, " ".join(f"{d:g}" for d in dashes))
            for name, dashes in zip(shown, DASHES, strict=False)
        ],
        "tables": dict(ensembles),
        "colours": {target.value: colour for target, colour in COLOURS.items()},
    }


def _write_sheets(
    template: jinja2.Template,
    report: Path,
    title: str,
    corpus: Sequence[CorpusRow],
    sheets: Sequence[Path],
) -> None:
    """Write the pages of contact sheets, with an equal number of samples each."""
    share = -(-len(corpus) // max(len(sheets), 1))
    for number, path in enumerate(sheets):
        first = number * share
        page = template.render(
            title=title,
            report=report.name,
            rows=corpus[first : first + share],
            first=first + 1,
            samples=len(corpus),
            pages=[other.name for other in sheets],
            number=number,
        )
        write_text(path, page)


def _has_sound(sample: ReportSample) -> bool:
    return sample.quality is not None and read_quality(sample.quality).sound_s is not None


def _summarise(corpus: Sequence[CorpusRow], ensembles: Sequence[ScoreRow]) -> list[str]:
    splits = Counter(row.sample.split for row in corpus)
    parts = ", ".join(f"{number:,} {split}" for split, number in splits.items())
    qualities = [row.quality for row in corpus if row.quality is not None]
    hours = math.fsum(quality.duration_s for quality in qualities) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} minutes"
    frames = sum(quality.frames for quality in qualities)
    lines = [
        f"{plural(len(corpus), 'sample')}{f' ({parts})' if parts else ''}, "
        f"{length} of video, {plural(frames, 'frame')}."
    ]
    scored = [row for row in ensembles if row.split != "train" and math.isfinite(row.mean)]
    if scored:
        best = max(scored, key=lambda row: row.mean)
        lines.append(
            f"Best ensemble: {best.name}, on {best.split}: CCC {best.valence:.3f} valence, "
            f"{best.arousal:.3f} arousal, {best.mean:.3f} mean."
        )
    return lines


def _select_predicted(
    corpus: Iterable[CorpusRow], tables: Mapping[str, PredictionTable]
) -> list[CorpusRow]:
    """Samples that any ensemble predicted, those with an annotation first."""
    predicted = [row for row in corpus if any(row.sample.name in t for t in tables.values())]
    return sorted(predicted, key=lambda row: not row.annotated)


def _draw_trace(sample: ReportSample, tables: Sequence[PredictionTable]) -> Trace:
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


def _draw_trainings(logs: Mapping[str, Path]) -> Iterable[Training]:
    experiments: dict[str, list[Curve]] = defaultdict(list)
    columns = ["epoch", "train_loss", *(f"ccc_{target}" for target in Target)]
    for run, path in logs.items():
        epoch, loss, *ccc = read_columns(path, columns)
        # Without validation, a column may be null, which becomes NaN as float64.
        scores = np.stack([np.asarray(values, dtype=np.float64) for values in ccc], axis=1)
        experiments[run.rsplit("/", 2)[0]].append(Curve(epoch, loss, scores))
    for experiment, curves in experiments.items():
        epochs = max(len(curve.epoch) for curve in curves)
        yield Training(experiment, len(curves), epochs, training_figure(curves))


def _fixed(value: float | None, decimals: int = 3) -> str:
    """Format a number with fixed decimals and a minus sign; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.{decimals}f}".replace("-", "−").replace("inf", "∞")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _decibels(quality: Quality | None) -> str:
    """Format the level of the sound in dB; "none" without sound, a dash without a summary."""
    if quality is None:
        return "–"
    return "none" if quality.sound_s is None else _fixed(quality.level_dbfs, 1)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
