"""The job that writes the report: gathers what the stages wrote."""

import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import circumplex
from circumplex.config.features import FEATURES, Feature
from circumplex.config.modalities import Framing, Modality
from circumplex.config.samples import Sample, read_samples
from circumplex.config.weights import TRAINED, WEIGHT_KEYS
from circumplex.io.atomic import read_json, write_json
from circumplex.io.commits import read_commit
from circumplex.io.kept_folder import KeptFolder
from circumplex.io.parquet import read_metadata
from circumplex.pipeline.costs import measure_costs
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.outputs import PLAYER, describe_folder
from circumplex.pipeline.jobs.results import read_failures
from circumplex.pipeline.requests import ReportRequest
from circumplex.pipeline.store import Entry, Status, read_index
from circumplex.report.corpus import ReportSample
from circumplex.report.feature_cards import Card, describe_cost, make_card
from circumplex.report.file_names import file_names
from circumplex.report.page import ReportInputs, write_report
from circumplex.report.quality import read_quality
from circumplex.targets import Target

CHECKOUT = Path(circumplex.__file__).parents[3]
SHOWN_PACKAGES = ("circumplex", "snakemake", "torch")
"""Packages whose versions stand at the top of the report."""
PACKAGES = ("numpy", "pyarrow", "av", "opensmile", "transformers")
COMMIT_LETTERS = 10
FOLDER = "report"
"""Folder of the pages of traces and faces, below the results folder."""
Entries = Mapping[str, Mapping[str, Mapping[str, Entry]]]
"""Entries by stage, shard and sample."""


def make_report(job: RunningJob, configs: Sequence[str]) -> None:
    """Write the report: one HTML page that opens offline, and pages of traces and faces.

    Args:
        job: the job.
        configs: names of the config files of the run, in order.
    """
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
        members=find_members(request, job.inputs["members"]),
        training_logs=dict(zip(request.runs, job.inputs["epochs"], strict=True)),
        submissions={path.stem: read_json(path) for path in job.inputs["submissions"]},
        run=describe_run(request, configs),
        facts=describe_machine(request),
        cards=cards,
        backbones=tuple(read_json(path) for path in job.inputs["backbones"]),
        tables=dict(zip(request.tables, job.inputs["tables"], strict=True)),
        players=find_players(request.players),
        causal=request.causal,
    )
    with KeptFolder(job.results / FOLDER) as folder:
        write_report(job.output("page"), inputs, folder, FOLDER)
    write_json(job.output("manifest"), describe_folder(FOLDER, folder))


def find_members(
    request: ReportRequest, smoothed: Sequence[Path]
) -> Mapping[str, Mapping[Target, Sequence[Path]]]:
    """By ensemble and target, the tables of its models; ``smoothed`` has each model once."""
    named = request.ensembles.values()
    runs = dict.fromkeys(run for of in named for target in Target for run in of[target])
    tables = dict(zip(runs, smoothed, strict=True))
    return {
        name: {target: [tables[run] for run in of[target]] for target in Target}
        for name, of in request.ensembles.items()
    }


def find_players(samples: Sequence[str]) -> Mapping[str, str]:
    """Addresses of player pages by sample, relative to the report."""
    return {sample: f"{PLAYER}/{name}.html" for sample, name in file_names(samples).items()}


def read_entries(indexes: list[Path]) -> Entries:
    """All indexes, by stage and shard."""
    entries: dict[str, dict[str, dict[str, Entry]]] = defaultdict(dict)
    for index in indexes:
        entries[index.parent.name][index.stem] = read_index(index)
    return entries


def describe_run(request: ReportRequest, configs: Sequence[str]) -> dict[str, str]:
    """What was run: date, commit and config, versions, weights."""
    now = datetime.now(UTC)
    commit = read_commit(CHECKOUT)[:COMMIT_LETTERS]
    run = [
        f"{now.day} {now:%B %Y, %H:%M} UTC",
        f"commit {commit}" if commit else "not in a git repository",
        f"config {', '.join(configs)}",
    ]
    versions = {"Python": platform.python_version(), **package_versions(SHOWN_PACKAGES)}
    return {
        "Run": "; ".join(run),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "Weights": "; ".join(describe_weights(request.features)) or "none",
    }


def describe_weights(features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where the weights of each feature come from, in a phrase."""
    phrases = []
    for name, options in features.items():
        for key in WEIGHT_KEYS:
            choice = options.get(key)
            if choice is None:
                continue
            label = name if key == "weights" else f"{name}.{key}"
            if choice.startswith(TRAINED):
                choice = f"trained in this run ({choice.removeprefix(TRAINED)})"
            phrases.append(f"{label} {choice}")
    return phrases


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that are installed here: environments hold only some of them."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def describe_machine(request: ReportRequest) -> dict[str, str]:
    """The machine, further versions, and samples that are left out."""
    facts = {"Machine": platform.platform(), **package_versions(PACKAGES)}
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
    if not sample.is_labelled:
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
        text=None if options["imported"] else FEATURES[name].text,
    )
