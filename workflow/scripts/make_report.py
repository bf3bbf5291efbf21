"""This script writes the report: one HTML page that opens offline."""

import csv
import platform
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.files import read_json
from circumplex.logs import set_up
from circumplex.report import ReportInputs, ReportSample, write_report
from circumplex.samples import Sample, read_samples
from circumplex.store import Entry, Status, read_index

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


def main(snakemake: "Snakemake") -> None:
    """Gather what the stages made and write the page."""
    set_up(snakemake.log[0], "make_report")
    tracked = snakemake.params.stage
    output = Path(snakemake.output.page)
    results = output.parent
    entries: dict[str, dict[str, Entry]] = defaultdict(dict)
    for index in map(Path, snakemake.input.indexes):
        for name, entry in read_index(index).items():
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
    )
    sheets = [Path(path) for path in snakemake.output.sheets]
    for former in set(sheets[0].parent.glob("*.html")) - set(sheets):
        former.unlink()  # of a larger corpus
    write_report(output, inputs, sheets)


if __name__ == "__main__":
    main(snakemake)
