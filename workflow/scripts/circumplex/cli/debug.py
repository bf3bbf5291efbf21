"""``circumplex debug``: run one stage for one sample in this process, so that a debugger works.

The rule's own script runs, with the job that the workflow's graph describes, cut down to the
sample. It reads the earlier stages' files of the run; what it writes lies apart, in
``<results>/debug/<stage>``, so that the run's results stay as they are.
"""

import argparse
import runpy
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from circumplex.cli.checkout import find_checkout
from circumplex.cli.config import add_presets, plan_of
from circumplex.config.features import FEATURES
from circumplex.config.samples import shard_of
from circumplex.config.validation import suggestion
from circumplex.errors import RequestError
from circumplex.io.digests import DigestCache
from circumplex.pipeline.boundary import DEBUGGING
from circumplex.pipeline.graph import Graph
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.records import Job
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.store import Entry, read_index, write_index

EXAMPLE = "circumplex debug align_faces video1 --configfile config/demo.yaml"
INDEXES = "index/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "stage", metavar="STAGE", help="stage of per-sample files, such as extract_densenet"
    )
    parser.add_argument("sample", metavar="SAMPLE", help="sample of the sheet")
    add_presets(parser)
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="CPU cores (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the stage and print what became of the sample.

    Returns:
        1 if the sample failed, else 0.

    Raises:
        RequestError: no such stage or sample, or earlier stages have not run.
    """
    plan = plan_of(options.configfile)
    checkout = find_checkout()
    builder = RequestBuilder(plan, checkout, DigestCache(plan.results / ".digests.json"))
    job = sample_job(builder, options.stage, options.sample)
    folder = plan.results / "debug" / options.stage
    shutil.rmtree(folder, ignore_errors=True)
    inputs = {**_earlier_files(plan, job, options.sample, folder), **_user_files(builder, job)}
    snakemake = SimpleNamespace(
        params=SimpleNamespace(job=job),
        input=inputs,
        output={"index": str(folder / job.outputs[0])},
        log=[str(folder / f"{options.sample}.log")],
        threads=options.threads,
        resources={},
        config={"results": str(folder)},
    )
    DEBUGGING.set(True)
    try:
        runpy.run_path(str(_script(checkout, job.stage)), {"snakemake": snakemake}, "__main__")
    finally:
        DEBUGGING.set(False)
        sys.excepthook = sys.__excepthook__  # the script's own prints one line
    entry = read_index(folder / job.outputs[0])[options.sample]
    made = folder / job.stage / f"{options.sample}{Path(entry.file).suffix}"
    print(f"{options.sample}: {entry.reason or made}")
    return int(bool(entry.reason))


def sample_job(builder: RequestBuilder, stage: str, sample: str) -> Job:
    """The job of a stage for the shard of a sample, asked for that sample alone.

    Raises:
        RequestError: the run has no such stage or sample.
    """
    plan = builder.plan
    if stage not in builder.stages:
        stages = list(builder.stages)
        raise RequestError(
            f"no stage {stage!r} in this run{suggestion(stage, stages)}; its stages: "
            f"{', '.join(stages)}"
        )
    samples = [row.sample for row in plan.samples]
    if sample not in samples:
        raise RequestError(f"no sample {sample!r} in the sheet{suggestion(sample, samples)}")
    builder.prepare()
    job = Graph(builder).job(stage, shard_of(sample, plan.config["shards"]))
    request = job.request
    if isinstance(request, ShardRequest) and request.samples:
        request = replace(request, samples={sample: request.samples[sample]})
    return replace(job, request=request)


def _earlier_files(plan: Plan, job: Job, sample: str, folder: Path) -> dict[str, list[str]]:
    """Results that the job reads, by name: indexes of the sample alone, other files as they are."""
    files: dict[str, list[str]] = {}
    for name, paths in job.inputs.items():
        for path in paths:
            if not (plan.results / path).is_file():
                raise RequestError(
                    f"{plan.results / path} is missing: run the stages before first, by "
                    f"`snakemake --cores 1 {plan.results / path}`"
                )
            if path.startswith(INDEXES):
                entry = read_index(plan.results / path)[sample]
                write_index(folder / path, {sample: _with_absolute_path(plan.results, entry)})
        indexed = all(path.startswith(INDEXES) for path in paths)
        files[name] = [str((folder if indexed else plan.results) / path) for path in paths]
    return files


def _with_absolute_path(results: Path, entry: Entry) -> Entry:
    return replace(entry, file=str((results / entry.file).resolve())) if entry.file else entry


def _user_files(builder: RequestBuilder, job: Job) -> Mapping[str, Any]:
    """The sample sheet, and weights that the run does not train."""
    files: dict[str, Any] = {"sheet": str(builder.plan.config["samples"])}
    name = job.stage.removeprefix("extract_")
    if name in FEATURES:
        builder.weights.require()
        for key in FEATURES[name].weight_keys:
            if key not in job.inputs and (paths := builder.weights.files(name, key)):
                files[key] = paths
    return files


def _script(checkout: Path, stage: str) -> Path:
    """The script of a stage's rule; those of features share one."""
    scripts = checkout / "workflow" / "scripts"
    own = scripts / f"{stage}.py"
    kind = stage.split("_")[0]
    shared = {"extract": "extract_feature", "import": "import_features"}
    return own if own.is_file() else scripts / f"{shared[kind]}.py"
