"""The job that writes the report: gathers what the stages wrote."""

import platform
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from circumplex.config.features import Feature
from circumplex.config.modalities import Framing, Modality
from circumplex.config.samples import Sample, read_samples
from circumplex.io.atomic import read_json
from circumplex.io.parquet import read_metadata
from circumplex.pipeline.costs import measure_costs
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.results import read_failures
from circumplex.pipeline.requests import ReportRequest
from circumplex.pipeline.store import Entry, Status, read_index
from circumplex.report.corpus import ReportSample
from circumplex.report.feature_cards import Card, describe_cost, make_card
from circumplex.report.page import ReportInputs, write_report
from circumplex.report.quality import read_quality

PACKAGES = ("snakemake", "numpy", "pyarrow", "av", "opensmile")
Entries = Mapping[str, Mapping[str, Mapping[str, Entry]]]
"""Entries by stage, shard and sample."""


def make_report(job: RunningJob) -> None:
    """Write the report: one HTML page that opens offline, and pages of contact sheets."""
    request: ReportRequest = job.request
    entries = read_entries(job.inputs["indexes"])
    cards = feature_cards(request.features, job.results, entries)
    inputs = ReportInputs(
        title="Valence and arousal from video",
        samples=describe_samples(job, entries),
        random_weights=request.random_weights,
        pretrained=request.models,
        metrics=job.input("ccc"),
        ensembles=dict(zip(request.ensembles, job.inputs["ensembles"], strict=True)),
        training_logs=dict(zip(request.runs, job.inputs["epochs"], strict=True)),
        submissions={path.stem: read_json(path) for path in job.inputs["submissions"]},
        facts=describe_run(request),
        cards=cards,
        backbones=tuple(read_json(path) for path in job.inputs["backbones"]),
    )
    sheets = job.outputs["sheets"]
    for former in set(sheets[0].parent.glob("*.html")) - set(sheets):
        former.unlink()  # of a larger corpus
    write_report(job.output("page"), inputs, sheets)


def read_entries(indexes: list[Path]) -> Entries:
    """All indexes, by stage and shard."""
    entries: dict[str, dict[str, dict[str, Entry]]] = defaultdict(dict)
    for index in indexes:
        entries[index.parent.name][index.stem] = read_index(index)
    return entries


def describe_run(request: ReportRequest) -> dict[str, str]:
    """Versions, the machine, and samples that are left out."""
    facts = {
        "Python": platform.python_version(),
        "Machine": platform.platform(),
        **{package: version(package) for package in PACKAGES},
    }
    if request.excluded:
        facts["Excluded samples"] = ", ".join(request.excluded)
    return facts


def describe_samples(job: RunningJob, entries: Entries) -> tuple[ReportSample, ...]:
    """What the report shows of each sample, in the sheet's order."""
    of_sample: dict[str, dict[str, Entry]] = defaultdict(dict)
    for stage, shards in entries.items():
        for members in shards.values():
            for name, entry in members.items():
                of_sample[name][stage] = entry
    failures: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in read_failures(job.input("failures")):
        failures[row["sample"]].append((row["stage"], row["reason"]))
    return tuple(
        describe_sample(sample, of_sample[sample.sample], job.results, failures[sample.sample])
        for sample in read_samples(job.input("sheet"))
        if sample.sample in of_sample
    )


def describe_sample(
    sample: Sample, entries: Mapping[str, Entry], results: Path, failures: list[tuple[str, str]]
) -> ReportSample:
    """What the report shows of a sample: its tables, failures and absent modalities."""

    def table(stage: str) -> Path | None:
        entry = entries.get(stage)
        return results / entry.file if entry and entry.status is Status.OK else None

    absent = {e.stage: e.reason for e in entries.values() if e.status is Status.ABSENT}
    if not sample.is_annotated:
        absent.pop("read_labels", None)
    return ReportSample(
        name=sample.sample,
        split=sample.split.value,
        subject=sample.subject,
        group=sample.group,
        faces=table("align_faces"),
        fill=table("fill_frames"),
        labels=table("read_labels"),
        quality=table("summarise_quality"),
        failures=tuple(failures),
        absent=tuple(f"{stage}: {reason}" for stage, reason in absent.items()),
    )


def feature_cards(
    features: Mapping[str, Mapping[str, Any]], results: Path, entries: Entries
) -> tuple[Card, ...]:
    """The cards of the features in use, with their costs in this run.

    Args:
        features: by name, what each is in this run.
        results: folder of the run.
        entries: by stage, shard and sample.
    """

    def files(stage: str) -> dict[str, Path]:
        shards = entries.get(stage, {}).values()
        all_entries = {name: entry for shard in shards for name, entry in shard.items()}
        return {n: results / e.file for n, e in all_entries.items() if e.status is Status.OK}

    video_s = {n: read_quality(path).duration_s for n, path in files("summarise_quality").items()}
    described = {name: as_feature(name, options) for name, options in features.items()}
    stages = {name: feature.stage for name, feature in described.items()}
    costs = measure_costs(results, stages, entries, video_s)
    cards = []
    for name, feature in described.items():
        table = next(iter(files(feature.stage).values()), None)
        columns = read_metadata(table).get("columns", []) if table else []
        cards.append(make_card(feature, features[name], columns, describe_cost(costs.get(name))))
    return tuple(cards)


def as_feature(name: str, options: Mapping[str, Any]) -> Feature:
    """A feature as a request of the report describes it."""
    return Feature(
        name,
        Modality(options["modality"]),
        options["dimension"],
        Framing(options["framing"]) if options["framing"] else None,
        imported=options["imported"],
    )
