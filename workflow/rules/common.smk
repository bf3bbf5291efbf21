# What every rule file leans on: the plan, paths, and the digests that decide what reruns.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir, "workflow", "scripts")))

from snakemake.exceptions import WorkflowError

from circumplex.io.digests import DigestCache, MISSING
from circumplex.pipeline.code import code_digest
from circumplex.errors import RequestError
from circumplex.config.features import FEATURES
from circumplex.config.modalities import Modality
from circumplex.config.experiments import Strategy
from circumplex.pipeline.plan import TARGETS
from circumplex.pipeline.checks import make_plan
from circumplex.pipeline.resources import (
    guessed_seconds,
    memory_mb,
    minutes,
    scratch_mb,
)
from circumplex.pipeline.requests import Identities
from circumplex.pipeline.result_requests import ResultIdentities
from circumplex.pipeline.repairs import (
    remove_altered_backbones,
    remove_altered_submissions,
    remove_damaged_indexes,
)
from circumplex.config.samples import Split

SCRIPTS = Path(workflow.basedir, "workflow", "scripts")

try:
    PLAN = make_plan(config)
    DIGESTS = DigestCache(PLAN.results / ".digests.json")
    IDENTITIES = Identities(PLAN, SCRIPTS, DIGESTS)
    RESULT_IDENTITIES = ResultIdentities(PLAN, IDENTITIES)
    if workflow.is_main_process:
        # A compute node must not judge files that other jobs are writing.
        IDENTITIES.prepare()
        remove_damaged_indexes(PLAN.results)
        remove_altered_submissions(PLAN.results)
        remove_altered_backbones(PLAN.results, DIGESTS.digest)
        DIGESTS.save()
except (RequestError, OSError) as error:  # OSError: a disk that is full or read-only
    raise WorkflowError(str(error))

RESULTS = str(PLAN.results)
SHEET = ancient(PLAN.config["samples"])
SHARDS = list(PLAN.shards)


wildcard_constraints:
    shard=r"\d{3}-of-\d{3}",
    run="|".join(re.escape(run.path) for run in PLAN.runs) or "none",
    ensemble="|".join(re.escape(name) for name in PLAN.ensembles) or "none",
    table="|".join(re.escape(name) for name in PLAN.tables) or "none",
    submission="|".join(re.escape(name) for name in PLAN.submissions) or "none",
    feature="|".join(feature.name for feature in PLAN.features) or "none",
    round=r"\d{3}",
    trial=r"\d{3}",


def index(stage):
    """Index of a shard in a stage, with the shard as a wildcard."""
    return f"{RESULTS}/index/{stage}/{{shard}}.json"


def indexes(stage):
    """Indexes of all shards in a stage."""
    return [f"{RESULTS}/index/{stage}/{shard}.json" for shard in SHARDS]


def log_of(stage, wildcard):
    """Log of a job of a stage."""
    return f"{RESULTS}/logs/{stage}/{{{wildcard}}}.log"


def benchmark_of(stage, wildcard):
    """Benchmark of a job of a stage."""
    return f"{RESULTS}/benchmarks/{stage}/{{{wildcard}}}.tsv"


def stage(name):
    """The one tracked parameter of a stage: code, options, and what the shard's samples bring.

    One dictionary, since Snakemake compares parameters as a set of values without their names.
    """
    return lambda wildcards: IDENTITIES.stage(name, wildcards.get("shard"))


def raw_inputs(*columns):
    """Large files of the sheet that a shard reads, where they exist, never compared by date.

    Their content digests are in the stage's parameter; a missing one fails its sample in the job.
    """
    return lambda wildcards: ancient(IDENTITIES.raw_files(wildcards.shard, *columns))


def weights_of(feature, key="weights"):
    """Weights of an extractor, as an input that is never compared by date.

    Missing ones stop the run here, where a job would need them: to fetch them, the workflow must
    parse without them.
    """

    def files(wildcards):
        try:
            IDENTITIES.require_weights()
        except RequestError as error:
            raise WorkflowError(str(error))
        # Weights that the run trains are dated as any of its files.
        names = IDENTITIES.weight_files(feature, key)
        made_here = feature in PLAN.backbones.trained and PLAN.export is None
        return names if made_here else ancient(names)

    return files


THREADS = PLAN.config["compute"]["threads"]
GPU = PLAN.config["compute"]["gpu"]
SECONDS = {shard: guessed_seconds(members) for shard, members in PLAN.shards.items()}


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
    return lambda wildcards: scratch_mb(stage, SECONDS[wildcards.shard])
