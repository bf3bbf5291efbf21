# What all rules use, the plan, paths, and the requests that decide what runs.
import gc
import os
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir, "workflow", "scripts")
sys.path.insert(0, str(SCRIPTS))
# Jobs compute with the package beside their scripts, whatever the environment has installed.
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
)

# HDF5 files are read alone, and some shares have no locks. Read when a job's process starts.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

# The graph's thousands of objects all stay: to look through them again and again for garbage costs
# a tenth of each start.
gc.set_threshold(100_000, 50, 50)

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from circumplex.config.features import FEATURES
from circumplex.config.modalities import Modality
from circumplex.errors import RequestError
from circumplex.io.digests import DigestCache
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.contents import UNUSABLE
from circumplex.pipeline.graph import Graph, output_paths
from circumplex.pipeline.records import Records
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.stages import ANNOTATION_COLUMNS
from circumplex.pipeline.resources import (
    SCRATCH_MB,
    expected_seconds,
    guessed_seconds,
    memory_mb,
    minutes,
    needs,
    scratch_mb,
)

if UNUSABLE & set(str(workflow.basedir)):
    raise WorkflowError(
        f"The checkout lies in {workflow.basedir}: Snakemake takes braces and angle brackets in a "
        "path for patterns, so that no script is found. Move it to a folder without them."
    )

try:
    PLAN = make_plan(config)
    REQUESTS = RequestBuilder(
        PLAN, Path(workflow.basedir), DigestCache(PLAN.results / ".digests.json")
    )
    GRAPH = Graph(REQUESTS)
    RECORDS = Records(PLAN.results, GRAPH.job)
    if workflow.is_main_process:
        # A compute node must not judge files that other jobs are writing.
        REQUESTS.prepare()
except (RequestError, OSError) as error:  # OSError: a disk that is full or read-only
    raise WorkflowError(str(error))

RESULTS = str(PLAN.results)


wildcard_constraints:
    shard=r"\d{3}-of-\d{3}",
    run="|".join(re.escape(run.path) for run in PLAN.runs) or "none",
    ensemble="|".join(re.escape(name) for name in PLAN.ensembles) or "none",
    table="|".join(re.escape(name) for name in PLAN.tables) or "none",
    submission="|".join(re.escape(name) for name in PLAN.submissions) or "none",
    feature="|".join(feature.name for feature in PLAN.features) or "none",
    round=r"\d{3}",
    trial=r"\d{3}",


def path_of(source):
    """Path of a result as Snakemake names it."""
    return f"{RESULTS}/{source.path}"


def paths_of(sources):
    """Paths of results."""
    return [path_of(source) for source in sources]


def outputs(stage, unit=""):
    """Results of a job by name; ``unit`` holds the rule's wildcards."""
    paths = output_paths(stage, unit)
    return {name: f"{RESULTS}/{path}" for name, path in paths.items()}


def output(stage, name, unit=""):
    """One result of a job."""
    return outputs(stage, unit)[name]


def inputs(stage, unit="", **others):
    """Results that a job reads, by name; `unpack` them.

    Records decide whether the job is stale, not dates: where it and all before it are current, no
    input has a date. A stale job has one input more that is newer than all results.

    Args:
        stage: name of the stage; may hold wildcards, as ``unit``.
        others: functions of the wildcards that give further inputs, such as the user's files.
    """

    def files(wildcards):
        key = (stage.format(**wildcards), unit.format(**wildcards))
        try:
            found = {
                name: paths_of(named) for name, named in GRAPH.sources(*key).items()
            }
            if workflow.is_main_process:
                if RECORDS.is_settled(*key):
                    found = {name: ancient(paths) for name, paths in found.items()}
                elif not RECORDS.is_current(GRAPH.job(*key)):
                    found["changed"] = str(RECORDS.marker)
            further = {name: named(wildcards) for name, named in others.items()}
        except (RequestError, OSError) as error:
            raise WorkflowError(str(error))
        named = {**found, **{name: paths for name, paths in further.items() if paths}}
        return {name: paths for name, paths in named.items() if paths}

    return files


def job(stage, unit=""):
    """The job as its script reads it: what it is asked for, and its files."""
    return lambda wildcards: GRAPH.job(
        stage.format(**wildcards), unit.format(**wildcards)
    )


def log_of(stage, wildcard=None):
    """Log of a job of a stage."""
    return f"{RESULTS}/logs/{_place(stage, wildcard)}.log"


def benchmark_of(stage, wildcard=None):
    """Benchmark of a job of a stage."""
    return f"{RESULTS}/benchmarks/{_place(stage, wildcard)}.tsv"


def _place(stage, wildcard):
    """Place of a job of a stage among logs or benchmarks, without a suffix."""
    return f"{stage}/{{{wildcard}}}" if wildcard else stage


def sheet(wildcards):
    """The sample sheet, never compared by date: what counts of it is in the requests."""
    return ancient(PLAN.config["samples"])


def raw_inputs(*columns):
    """Large files of the sheet that a shard reads, where Snakemake copies them to a node.

    Elsewhere they are no inputs: their content digests are in the request, the job reads them where
    they lie, and a missing one fails its sample. Snakemake would ask for the size of each input of
    each job that is ready whenever a job ends, which for a thousand clips costs more than all else.
    """
    if workflow.storage_settings.default_storage_provider is None:
        return lambda wildcards: []
    return lambda wildcards: ancient(
        REQUESTS.contents.raw_files(wildcards.shard, columns)
    )


onstart:
    # Snakemake looks at all ready jobs again a second after each look, for the limit on jobs that are
    # started per second, and each such look brings about one more. Here no scheduler is to be spared.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


# In the order in which they count: Snakemake has the Snakefile's own at the end.
CONFIGS = [Path(file).name for file in workflow.configfiles]
CONFIGS = [*CONFIGS[-1:], *CONFIGS[:-1]]
THREADS = PLAN.config["compute"]["threads"]
GPU = PLAN.config["compute"]["gpu"]
SECONDS = {shard: guessed_seconds(members) for shard, members in PLAN.shards.items()}

if workflow.is_main_process:
    # For the logger plugin (snakemake_logger_plugin_circumplex); others print no empty message.
    FACTS = {
        "samples": {shard: len(members) for shard, members in PLAN.shards.items()},
        "seconds": expected_seconds(
            sum(SECONDS.values()),
            len(SECONDS),
            ["train_encoder", "train_trial", "predict_frames"],
        ),
    }
    logger.info("", extra={"circumplex": FACTS})


def memory(stage):
    """Megabytes that a job of a stage asks for; more when it is tried again."""
    return lambda wildcards, attempt: memory_mb(stage, attempt)


def time_limit(stage):
    """Minutes that a job asks for: they grow with its shard's videos, or with all of them."""

    def limit(wildcards, threads, attempt):
        seconds = SECONDS.get(wildcards.get("shard"), sum(SECONDS.values()))
        return minutes(stage, seconds, threads, attempt)

    return limit


def scratch(stage):
    """Megabytes that a job of a stage may write into the folder for temporary files."""
    if not needs()[stage].scratch_kb:
        return round(SCRATCH_MB)  # a plain number spares Snakemake a call for each job
    return lambda wildcards: scratch_mb(stage, SECONDS[wildcards.shard])
