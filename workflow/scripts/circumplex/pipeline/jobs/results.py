"""The jobs that write what people read and hand on."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from circumplex.config.preparation import LEAST_RATE, MOST_RATE
from circumplex.evaluation.ccc_table import CccTable
from circumplex.evaluation.paper_tables import (
    Unit,
    make_lines,
    write_csv,
    write_html,
    write_markdown,
    write_notes,
)
from circumplex.evaluation.scores import CccRow, score
from circumplex.io.atomic import read_json, replacing, write_json, write_text
from circumplex.io.digests import file_digest
from circumplex.io.parquet import read_columns, read_metadata
from circumplex.io.spreadsheet import escape_cell, restore_cell
from circumplex.pipeline.exports import write_export
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.manifest import score_numbers, table_numbers, trained
from circumplex.pipeline.requests import (
    ClosingRequest,
    EvaluationRequest,
    ExportRequest,
    SubmissionRequest,
    TableRequest,
)
from circumplex.pipeline.store import Status, ok_files, read_index
from circumplex.predictions.table import PredictionTable
from circumplex.progress import report_closing
from circumplex.submissions.files import replacing_folder
from circumplex.submissions.submission import Submission

HEADER_ROWS = 2
"""Lines of a Markdown table before its first row."""


def evaluate(job: RunningJob) -> None:
    """Write the CCC of models and ensembles as Parquet, CSV and Markdown.

    A model is scored on split val, under k-fold on the fold it left out, and on split test where
    that is annotated. An ensemble of k-fold models alone is also scored on all samples, each
    predicted by the fold that left it out.
    """
    request: EvaluationRequest = job.request
    labels = ok_files(job.inputs["read_labels"], job.results)
    rows = CccTable()
    for path, name in zip(job.inputs["ensembles"], request.ensembles, strict=True):
        table = PredictionTable(path)
        kfold = list(request.ensembles[name]) == ["kfold"]
        for split in ("val", "test", *(["out of fold"] if kfold else [])):
            rows.add(score(table, name, split, labels, request.splits), kind="ensemble")
    for path, (experiment, fold, seed, strategy) in zip(
        job.inputs["smoothed"], request.runs, strict=True
    ):
        table = PredictionTable(path)
        name = f"{experiment}/{fold}/seed{seed}"
        for split in (fold if strategy == "kfold" else "val", "test"):
            scores = score(table, name, split, labels, request.splits)
            rows.add(scores, kind="model", experiment=experiment, fold=fold, seed=seed)
    rows.write(job.output("table"), job.output("csv"), job.output("markdown"))


def write_submission(job: RunningJob) -> None:
    """Write a submission's files, check them as the organisers would, and list them."""
    request: SubmissionRequest = job.request
    folder = job.results / "submissions" / request.name
    submission = Submission(
        table=PredictionTable(job.input("predictions")),
        samples=request.samples,
        listed=job.input("rows") if request.list else None,
        by_list=request.rows == "list",
        max_difference=request.max_difference,
    )
    with replacing_folder(folder) as temporary:
        if request.format == "abaw3":
            submission.write_texts(temporary)
        else:
            submission.write_table(temporary / "predictions.csv")
        files = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
    manifest = {
        "ensemble": request.ensemble,
        "format": request.format,
        "folder": str(folder.relative_to(job.results)),
        "files": files,
        "missing": submission.missing,
        "counted_otherwise": submission.counted_otherwise,
    }
    write_json(job.output("manifest"), manifest)


def make_table(job: RunningJob) -> None:
    """Score a table's models and ensembles and write CSV, Markdown, HTML and the manifest."""
    request: TableRequest = job.request
    labels = ok_files(job.inputs["read_labels"], job.results)
    trace = request.trace
    models = zip(trace["models"], job.inputs["smoothed"], strict=True)
    ensembles = zip(trace["ensembles"], job.inputs["ensembles"], strict=True)
    paths = {("model", name): path for name, path in models}
    paths |= {("ensemble", name): path for name, path in ensembles}

    def score_unit(unit: Unit, split: str) -> list[CccRow]:
        table = PredictionTable(paths[unit.kind, unit.name])
        return score(table, unit.name, split, labels, request.splits)

    lines = make_lines(request.rows, request.split, score_unit)
    remarks = [
        *write_notes(request.split, request.random_weights),
        *(card["notice"] for card in request.models),
    ]
    write_csv(job.output("csv"), request.name, request.targets, lines)
    write_markdown(job.output("markdown"), request.title, request.targets, lines, remarks)
    write_html(job.output("html"), request.title, request.targets, lines, remarks)
    numbers = table_numbers(request.name, lines)
    indexes = map(str, job.inputs["models"])
    write_json(job.output("manifest"), {"numbers": numbers, **trained(trace, indexes)})


def make_manifest(job: RunningJob) -> None:
    """Join what the CCC table and each table of the paper say of their numbers."""
    numbers = score_numbers(pq.read_table(job.input("ccc")).to_pylist())
    for table in job.inputs["tables"]:
        numbers += read_json(table)["numbers"]
    trace = trained(job.request.trace, map(str, job.inputs["models"]))
    write_json(job.output("manifest"), {"numbers": numbers, **trace})


def export_ensemble(job: RunningJob) -> None:
    """Write an ensemble as one folder; `export: <folder>` in a config predicts with it.

    What was chosen or fitted on held-out annotations goes along: there will be none to repeat it.
    """
    request: ExportRequest = job.request
    models = {}
    trained = [run for run in request.runs if run not in request.pretrained]
    for run, index in zip(trained, job.inputs["models"], strict=True):
        (entry,) = read_index(index).values()
        models[run] = job.results / entry.file
    description = dict(request.description)
    if smoothed := job.inputs["smoothed"]:
        chosen = [read_metadata(path)["smoothing"] for path in smoothed]
        description["windows"] = dict(zip(request.runs, chosen, strict=True))
    if job.inputs["fitted"]:
        description["combination"] = read_metadata(job.input("fitted"))["combination"]
    if timelines := ok_files(job.inputs["timeline"], job.results):
        description |= measure_rate(timelines.values())
    weights = dict(zip(request.trained, job.inputs["weights"], strict=True))
    write_export(job.output("description").parent, description, models, weights)


def measure_rate(timelines: Iterable[Path]) -> dict[str, float]:
    """The median frames per second of samples, as ``trained_rate``.

    Nothing where no sample has two frames, or the rate is not one that a timeline can have.
    """
    rates = []
    for timeline in timelines:
        (time_s,) = read_columns(timeline, ["time_s"])
        if len(time_s) > 1:
            rates.append((len(time_s) - 1) / (time_s[-1] - time_s[0]))
    rate = round(float(median(rates)), 4) if rates else 0.0
    return {"trained_rate": rate} if LEAST_RATE <= rate <= MOST_RATE else {}


def list_failures(job: RunningJob) -> None:
    """Write a row for each sample and the stage that it failed in."""
    failures: dict[str, dict[str, str]] = {}
    for index in job.inputs["indexes"]:
        for sample, entry in read_index(index).items():
            if entry.status is Status.FAILED:
                failures.setdefault(sample, {})[entry.stage] = entry.reason
    with (
        replacing(job.output("failures")) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["sample", "stage", "reason"])
        for sample, stages in sorted(failures.items()):
            for stage, reason in stages.items():
                writer.writerow([escape_cell(sample), stage, escape_cell(reason)])


def check_failures(job: RunningJob) -> bool:
    """Report where the results are, and the table of failed samples if any failed.

    Returns:
        Whether no sample failed that is not excluded.
    """
    lines = list(summary_lines(job))
    failures = read_failures(job.input("failures"))
    if failures:
        report_closing([*lines, "", *failure_lines(failures)])
        return False
    report_closing(lines)
    write_text(job.output("summary"), "".join(f"{line}\n" for line in lines))
    return True


def failure_lines(failures: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The table of failed samples, as the last lines of a run.

    Args:
        failures: rows of ``list_failures.tsv``.
    """
    samples = {row["sample"] for row in failures}
    yield (
        f"{len(samples)} of the samples failed; all others were finished. Fix them, or name them "
        "under exclude: in the config."
    )
    yield from (f"  {row['sample']}: {row['stage']}: {row['reason']}" for row in failures)


def summary_lines(job: RunningJob) -> Iterator[str]:
    """What a finished run prints of its results."""
    request: ClosingRequest = job.request
    if request.random_weights:
        named = ", ".join(f"{name} ({choice})" for name, choice in request.random_weights.items())
        yield f"SEEDED RANDOM WEIGHTS, not published ones: {named}"
    for card in request.models:
        yield card["notice"]
    for manifest in job.inputs["submissions"]:
        submission = read_json(manifest)
        folder = job.results / submission["folder"]
        yield f"submission:  {folder} ({len(submission['files'])} files)"
    for table in job.inputs["predictions"]:
        yield f"predictions: {table}"
    if has_scores(job.input("ccc")):
        yield f"CCC table:   {job.input('ccc')}"
    yield f"report:      {job.input('report')}"
    for summary, player in zip(job.inputs["summary"], job.inputs["player"], strict=True):
        yield f"CSV files:   {summary}, and a file per video in {summary.parent / 'predictions'}"
        yield f"player:      {player}"


def has_scores(table: Path) -> bool:
    """Whether the CCC table has a row: a run that only predicts has no annotation to score by."""
    lines = table.read_text(encoding="utf-8").splitlines()
    return sum(line.startswith("|") for line in lines) > HEADER_ROWS


def read_failures(path: Path) -> list[dict[str, str]]:
    """Rows of ``list_failures.tsv``: sample, stage and reason."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [{key: restore_cell(cell) for key, cell in row.items()} for row in rows]
