"""Write the report: one HTML page, and pages with the traces and the faces of every sample.

All pages can be read offline, on a phone and in print. They load no other file. The page itself
runs one script of this package, which searches and sorts the index of samples; without it, the
index is a plain table.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from circumplex.io.atomic import write_text
from circumplex.io.kept_folder import KeptFolder
from circumplex.io.parquet import read_columns
from circumplex.predictions.table import PredictionTable
from circumplex.report import figures
from circumplex.report.agreement import describe_agreement
from circumplex.report.corpus import (
    LOW_FACE_SHARE,
    SILENT_DBFS,
    CorpusRow,
    ReportSample,
    describe_onsets,
    describe_rates,
    group_warnings,
    make_rows,
)
from circumplex.report.drawings import (
    draw_ablations,
    draw_trainings,
    overview_section,
    read_samples,
    score_section,
)
from circumplex.report.feature_cards import Card
from circumplex.report.figures import Series
from circumplex.report.quality import Quality
from circumplex.report.rendering import (
    DASH,
    SHARED,
    format_fixed,
    make_environment,
    page_parts,
    plural,
)
from circumplex.report.samples import (
    TRAIN,
    EnsembleTables,
    SampleResult,
    read_annotation,
)
from circumplex.targets import Target

logger = logging.getLogger(__name__)
TEMPLATES = Path(__file__).with_name("templates")
STYLE = TEMPLATES / "report.css"
PICTURES = "img-src data:"
"""What the pages may load: pictures that they hold themselves."""
TRACES_PER_PAGE = 25
SHEETS_PER_PAGE = 50
WORST = 8
"""Samples whose traces stand in the report itself."""


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
        members: by ensemble and target, tables of its models' smoothed predictions.
        training_logs: ``experiment/fold/seed0`` -> table with ``epoch``, ``train_loss``,
            ``ccc_valence``, ``ccc_arousal``; NaN or null without validation.
        submissions: name -> manifest with ``ensemble``, ``format``, ``folder``, ``files`` (name ->
            SHA-256) and ``missing`` samples.
        run: what was run, in a few lines by name: date, versions, weights.
        facts: further facts: machine, samples left out.
        cards: cards of the features in use.
        backbones: cards of the networks that the run trained on still images.
        tables: CSV files of the paper's tables by name; see `circumplex.evaluation.paper_tables`.
        players: address of the player page, relative to the report, by sample.
        causal: experiments whose encoder reads no frame after the one that it predicts.
    """

    title: str
    samples: tuple[ReportSample, ...]
    random_weights: Mapping[str, str]
    metrics: Path
    ensembles: Mapping[str, Path]
    training_logs: Mapping[str, Path]
    submissions: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, str]
    run: Mapping[str, str] = field(default_factory=dict)
    cards: tuple[Card, ...] = ()
    backbones: tuple[Mapping[str, Any], ...] = ()
    pretrained: Sequence[Mapping[str, str]] = ()
    members: Mapping[str, Mapping[Target, Sequence[Path]]] = field(default_factory=dict)
    tables: Mapping[str, Path] = field(default_factory=dict)
    players: Mapping[str, str] = field(default_factory=dict)
    causal: Sequence[str] = ()


@dataclass(frozen=True)
class Listed:
    """A sample in the index and in the pages of traces.

    Attributes:
        result: the sample with its numbers.
        number: place in the order of the index, from 1.
        traces: address of its trace, relative to the report; empty without predictions.
        faces: address of its contact sheet.
        player: address of its player page; empty without one.
    """

    result: SampleResult
    number: int
    traces: str
    faces: str
    player: str

    @property
    def status(self) -> str:
        """Why it has no predictions; empty if it has some, or if it failed."""
        if self.result.ensemble is not None or self.result.row.sample.failures:
            return ""
        return "for training" if self.result.split == TRAIN else "not predicted"


@dataclass(frozen=True)
class TraceCard:
    """A sample's trace as the pages show it.

    Attributes:
        listed: the sample.
        figure: data URI of the trace.
        strip: data URI of its faces over time; None without faces.
    """

    listed: Listed
    figure: str
    strip: str | None


def write_report(output: Path, inputs: ReportInputs, folder: KeptFolder, place: str) -> None:
    """Write the page, and the pages with every sample's trace and contact sheet.

    Samples are read one by one, so that memory grows only with what the page shows: a row per
    sample, and the traces of `WORST` samples.

    Args:
        output: HTML file to write, atomically.
        inputs: contents of the report.
        folder: folder of the further pages.
        place: its address, relative to the page.

    Raises:
        OSError: a table named by the inputs is missing.
    """
    corpus = make_rows(inputs.samples)
    remarks = [text for text in _remark(corpus, inputs.causal) if text]
    for text in remarks:
        logger.warning(text)
    # Sorting is stable: among equal samples, the order of the sheet remains.
    corpus.sort(key=lambda row: row.suspicion)
    tables = [_open_ensemble(name, inputs) for name in inputs.ensembles]
    results, overview, split = read_samples(corpus, tables)
    listed = _list_samples(results, corpus, place, inputs.players)
    scored = any(result.errors for result in results)
    pages = _Pages(inputs, folder, output.name, scored=scored)
    traces = pages.write_traces([one for one in listed if one.traces])
    pages.write_sheets(corpus)
    page = pages.render(
        "report.html.j2",
        script=SHARED / "list.js",
        remarks=remarks,
        summary=_summarise(corpus),
        agreement=describe_agreement(s.labels for s in inputs.samples if s.labels is not None),
        corpus=corpus,
        listed=listed,
        by_error=scored and not any(result.ccc for result in results),
        worst=traces,
        warning_groups=group_warnings(corpus),
        sheet_pages=[f"{place}/{name}" for name in _page_names("faces", corpus, SHEETS_PER_PAGE)],
        trainings=list(draw_trainings(inputs.training_logs)),
        **score_section(inputs.metrics),
        **overview_section(results, overview, split),
        **_failure_section(corpus),
        ablations=list(draw_ablations(inputs.tables)),
    )
    write_text(output, page)


class _Pages:
    """Renders the pages of a report.

    Args:
        inputs: contents of the report.
        folder: folder of the further pages.
        report: name of the report's own page.
        scored: whether any sample that is predicted is annotated.
    """

    def __init__(
        self, inputs: ReportInputs, folder: KeptFolder, report: str, *, scored: bool
    ) -> None:
        self._inputs, self._folder, self._report = inputs, folder, report
        self._scored = scored
        self._environment = make_environment(TEMPLATES)
        self._environment.filters.update(by_number=_by_number, decibels=_decibels)

    def render(self, template: str, script: Path | None = None, **values: Any) -> str:
        """Render a page."""
        inputs = self._inputs
        return self._environment.get_template(template).render(
            **page_parts(STYLE, script, PICTURES),
            title=inputs.title,
            random_weights=dict(inputs.random_weights),
            inputs=inputs,
            low_face_share=LOW_FACE_SHARE,
            silent_dbfs=SILENT_DBFS,
            targets=tuple(Target),
            points=figures.POINTS,
            has_bands=any(
                len(models) > 1 for of in inputs.members.values() for models in of.values()
            ),
            scored=self._scored,
            **values,
        )

    def write_traces(self, listed: Sequence[Listed]) -> Sequence[TraceCard]:
        """Write the pages of traces; returns those of the first `WORST` samples."""
        names = _page_names("traces", listed, TRACES_PER_PAGE)
        first: list[TraceCard] = []
        for number, name in enumerate(names):
            start = number * TRACES_PER_PAGE
            cards = [_draw_trace(one) for one in listed[start : start + TRACES_PER_PAGE]]
            first += cards[: max(WORST - len(first), 0)]
            page = self._render_part("traces.html.j2", names, number, start, len(listed), cards)
            self._folder.write(name, page)
        return first

    def write_sheets(self, corpus: Sequence[CorpusRow]) -> None:
        """Write the pages of contact sheets."""
        names = _page_names("faces", corpus, SHEETS_PER_PAGE)
        for number, name in enumerate(names):
            start = number * SHEETS_PER_PAGE
            rows = corpus[start : start + SHEETS_PER_PAGE]
            page = self._render_part(
                "contact_sheets.html.j2", names, number, start, len(corpus), rows
            )
            self._folder.write(name, page)

    def _render_part(
        self,
        template: str,
        names: Sequence[str],
        number: int,
        start: int,
        total: int,
        rows: Sequence[Any],
    ) -> str:
        """Render one page of several: ``rows`` are its samples, from ``start``, of ``total``."""
        return self.render(
            template,
            report=self._report,
            rows=rows,
            first=start + 1,
            total=total,
            pages=names,
            number=number,
        )


def _page_names(kind: str, rows: Sequence[Any], per_page: int) -> list[str]:
    """Names of the pages that a list of samples is divided among."""
    return [f"{kind}-{number + 1:03d}.html" for number in range(-(-len(rows) // per_page))]


def _open_ensemble(name: str, inputs: ReportInputs) -> EnsembleTables:
    members = inputs.members.get(name, {})
    opened = {path: PredictionTable(path) for paths in members.values() for path in paths}
    return EnsembleTables(
        name,
        PredictionTable(inputs.ensembles[name]),
        {target: [opened[path] for path in members.get(target, ())] for target in Target},
    )


def _list_samples(
    results: Sequence[SampleResult],
    corpus: Sequence[CorpusRow],
    place: str,
    players: Mapping[str, str],
) -> list[Listed]:
    """The index: predicted samples first, the worst of them first."""
    ordered = sorted(results, key=lambda result: (result.ensemble is None, result.rank))
    sheets = {row.sample.name: k for k, row in enumerate(corpus)}
    listed = []
    for k, result in enumerate(ordered):
        trace_page = f"{place}/traces-{k // TRACES_PER_PAGE + 1:03d}.html#s{k + 1}"
        sheet = sheets[result.name]
        listed.append(
            Listed(
                result,
                number=k + 1,
                traces="" if result.ensemble is None else trace_page,
                faces=f"{place}/faces-{sheet // SHEETS_PER_PAGE + 1:03d}.html#f{sheet + 1}",
                player=players.get(result.name, ""),
            )
        )
    return listed


def _failure_section(corpus: Sequence[CorpusRow]) -> dict[str, Any]:
    """Values of the template for failed and suspicious samples."""
    return {
        "failures": [
            (row.sample.name, *failure) for row in corpus for failure in row.sample.failures
        ],
        "suspicious": sum(1 for row in corpus if row.warnings and not row.sample.failures),
    }


def _summarise(corpus: Sequence[CorpusRow]) -> str:
    """Number and length of the samples, in a sentence."""
    splits = Counter(row.sample.split for row in corpus)
    parts = ", ".join(f"{number:,} {split}" for split, number in splits.items())
    qualities = [row.quality for row in corpus if row.quality is not None]
    kinds = {"video": 0.0, "sound alone": 0.0}
    for quality in qualities:
        kinds["video" if quality.decoded_share else "sound alone"] += quality.duration_s
    lengths = [f"{_length(seconds)} of {kind}" for kind, seconds in kinds.items() if seconds]
    frames = sum(quality.frames for quality in qualities)
    return (
        f"{plural(len(corpus), 'sample')}{f' ({parts})' if parts else ''}, "
        f"{', '.join([*lengths, plural(frames, 'frame')])}."
    )


def _remark(corpus: Sequence[CorpusRow], causal: Sequence[str]) -> tuple[str, str]:
    return describe_rates(corpus), describe_onsets(corpus, causal)


def _length(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _draw_trace(listed: Listed) -> TraceCard:
    result = listed.result
    sample, ensemble = result.row.sample, result.ensemble
    assert ensemble is not None, "only predicted samples have a trace"
    annotation = faces = None
    if sample.labels is not None:
        annotation = Series(*read_annotation(sample.labels))
    if sample.faces is not None:
        time_s, valid = read_columns(sample.faces, ["time_s", "valid"])
        faces = Series(time_s, valid.astype(np.float32))
    figure = figures.trace_figure(ensemble.predictions(sample.name), annotation, faces)
    return TraceCard(listed, figure, result.row.strip)


def _decibels(quality: Quality | None) -> str:
    """Format the level of the sound in dB; "none" without sound, a dash without a summary."""
    if quality is None:
        return DASH
    return "none" if quality.sound_s is None else format_fixed(quality.level_dbfs, 1)


def _by_number(units: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Action units with their values, sorted by number: JSON has them sorted as text."""
    return sorted(units.items(), key=lambda unit: int(unit[0]))
