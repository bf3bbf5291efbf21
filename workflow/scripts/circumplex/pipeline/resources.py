"""What a job asks of a cluster, by the table in resources.yaml.

Imported while the workflow is parsed: standard library and yaml only.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from circumplex.config.features import FEATURES, Need
from circumplex.config.samples import Sample
from circumplex.io.atomic import read_yaml
from circumplex.io.files import why_no_file
from circumplex.pipeline.boundary import FACTOR

TABLE = Path(__file__).with_name("resources.yaml")
BASE_MINUTES = 10.0  # imports, weights, a busy file system
MARGIN = 3.0  # jobs that share a node are slower, and a limit that is too tight costs the work
BYTES_PER_SECOND = 60_000.0  # of a video of modest quality: a better one only asks for more time
SCRATCH_MB = 100.0  # whatever libraries leave there
START_S = 3.0  # of Python and the imports of a job
BASE_SAMPLE_S = 300.0  # half of what its job has at least
DEFAULT_SECONDS = 160.0  # of a sample whose video cannot be sized; Aff-Wild2's mean


@cache
def needs() -> dict[str, Need]:
    """Need by stage: of the table, and of the features."""
    table = read_yaml(TABLE)
    extracted = {f.stage: f.need for f in FEATURES.values() if f.need is not None}
    return {stage: Need(**need) for stage, need in table.items()} | extracted


def memory_mb(stage: str, attempt: int) -> int:
    """Megabytes to ask for: after a job died, twice as much, then three times."""
    return needs()[stage].mem_mb * attempt


def scratch_mb(stage: str, seconds: float) -> int:
    """Megabytes that a job may write into the folder for temporary files."""
    return round(SCRATCH_MB + needs()[stage].scratch_kb * seconds / 1000)


def minutes(stage: str, seconds: float, threads: int, attempt: int) -> int:
    """Minutes to ask for, for so many seconds of video; more after a job ran out of time."""
    work = needs()[stage].limit_s * seconds / threads / 60
    return round((BASE_MINUTES + MARGIN * work) * attempt)


def expected_seconds(video_s: float, shards: int, whole: Iterable[str]) -> dict[str, float]:
    """Seconds that a job of each stage is expected to take on one core.

    Args:
        video_s: seconds of video, all samples together.
        shards: number of shards.
        whole: stages whose jobs go through all samples, not through a shard.
    """
    through = dict.fromkeys(needs(), video_s / max(shards, 1)) | dict.fromkeys(whole, video_s)
    return {stage: START_S + need.cpu_s * through[stage] for stage, need in needs().items()}


def guessed_seconds(samples: Iterable[Sample]) -> float:
    """Seconds of video that samples hold, guessed from the size of their files.

    A guess on the high side: opening every file would make each start of Snakemake slow.
    """
    return sum(_guess(sample) for sample in samples)


def _guess(sample: Sample) -> float:
    path = sample.video or sample.audio
    return DEFAULT_SECONDS if path is None else _seconds_of(path)


def _seconds_of(path: Path) -> float:
    if why_no_file(path) is not None:
        return DEFAULT_SECONDS
    return path.stat().st_size / BYTES_PER_SECOND


def sample_limit_s(stage: str, files: Iterable[Path], threads: int) -> float:
    """Seconds that one sample may take: five minutes, and many times what its files may need.

    Less than the limit of its job, so that a file that takes for ever fails its sample alone.

    Args:
        stage: name of the stage.
        files: the user's files that the sample is made from.
        threads: cores of the job.
    """
    need = needs().get("import_features" if stage.startswith("import_") else stage)
    seconds = sum(map(_seconds_of, files)) or DEFAULT_SECONDS
    return BASE_SAMPLE_S + FACTOR * (need.limit_s if need else 0.0) * seconds / threads
