"""This script writes the report: one HTML page that opens offline."""

import csv
import platform
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circumplex.config.features import Feature
from circumplex.config.modalities import Framing, Modality
from circumplex.config.samples import Sample, read_samples
from circumplex.io.atomic import read_json
from circumplex.io.parquet import read_metadata
from circumplex.pipeline.costs import measure_costs
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import Entry, Status, read_index
from circumplex.report.corpus import ReportSample
from circumplex.report.feature_cards import Card, describe_cost, make_card
from circumplex.report.page import ReportInputs, write_report
from circumplex.report.quality import read_quality

if TYPE_CHECKING:
    from snakemake.script import Snakemake

PACKAGES = ("snakemake", "numpy", "pyarrow", "av", "opensmile")


def describe(
    sample: Sample, entries: dict[str, Entry], results: Path, failures: list[tuple[str, str]]
) -> ReportSample:
    """What the report shows of a sample: its tables, failures and absent modalities."""

    def table(stage: str) -> Path | None:
        entry = entries.get(stage)
        return results / entry.file if entry and entry.status is Status.OK else None

    absent = {e.stage: e.reason for e in entries.values() if e.status is Status.ABSENT}
    if sample.annotation is None:
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
    features: Mapping[str, Mapping[str, Any]],
    results: Path,
    entries: Mapping[str, Mapping[str, Mapping[str, Entry]]],
) -> tuple[Card, ...]:
    """The cards of the features in use, with what they cost in this run.

    Args:
        features: by name, what each is in this run.
        results: folder of the run.
        entries: by stage, shard and sample.
    """

    def files(stage: str) -> dict[str, Path]:
        shards = entries.get(stage, {}).values()
        found = {name: entry for shard in shards for name, entry in shard.items()}
        return {n: results / e.file for n, e in found.items() if e.status is Status.OK}

    video_s = {n: read_quality(path).duration_s for n, path in files("summarise_quality").items()}
    known = {
        name: Feature(
            name,
            Modality(options["modality"]),
            options["dimension"],
            Framing(options["framing"]) if options["framing"] else None,
            imported=options["imported"],
        )
        for name, options in features.items()
    }
    stages = {name: feature.stage for name, feature in known.items()}
    costs = measure_costs(results, stages, entries, video_s)
    cards = []
    for name, feature in known.items():
        table = next(iter(files(feature.stage).values()), None)
        columns = read_metadata(table).get("columns", []) if table else []
        cost = describe_cost(costs.get(name))
        cards.append(make_card(feature, features[name], columns, cost))
    return tuple(cards)


def main(snakemake: "Snakemake") -> None:
    """Gather what the stages made and write the page."""
    set_up(snakemake.log[0], "make_report", snakemake.resources)
    tracked = snakemake.params.stage
    output = Path(snakemake.output.page)
    results = results_of(snakemake)
    entries: dict[str, dict[str, Entry]] = defaultdict(dict)
    by_stage: dict[str, dict[str, dict[str, Entry]]] = defaultdict(dict)
    for index in map(Path, snakemake.input.indexes):
        by_stage[index.parent.name][index.stem] = read_index(index)
        for name, entry in by_stage[index.parent.name][index.stem].items():
            entries[name][index.parent.name] = entry
    failures: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with Path(snakemake.input.failures).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            failures[row["sample"]].append((row["stage"], row["reason"]))
    samples = read_samples(Path(str(snakemake.input.sheet)))
    facts = {
        "Python": platform.python_version(),
        "Machine": platform.platform(),
        **{package: version(package) for package in PACKAGES},
    }
    if tracked["excluded"]:
        facts["Excluded samples"] = ", ".join(tracked["excluded"])
    inputs = ReportInputs(
        title="Valence and arousal from video",
        samples=tuple(
            describe(sample, entries[sample.sample], results, failures[sample.sample])
            for sample in samples
            if sample.sample in entries
        ),
        random_weights=tracked["random_weights"],
        metrics=Path(snakemake.input.ccc),
        ensembles=dict(
            zip(tracked["ensembles"], map(Path, snakemake.input.ensembles), strict=True)
        ),
        training_logs=dict(zip(tracked["runs"], map(Path, snakemake.input.epochs), strict=False)),
        submissions={Path(m).stem: read_json(Path(m)) for m in snakemake.input.submissions},
        facts=facts,
        cards=feature_cards(tracked["features"], results, by_stage),
        backbones=tuple(read_json(Path(path)) for path in snakemake.input.backbones),
    )
    sheets = [Path(path) for path in snakemake.output.sheets]
    for former in set(sheets[0].parent.glob("*.html")) - set(sheets):
        former.unlink()  # of a larger corpus
    write_report(output, inputs, sheets)


if __name__ == "__main__":
    main(snakemake)
