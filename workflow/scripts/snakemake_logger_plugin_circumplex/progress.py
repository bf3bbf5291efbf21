"""How far a run is: samples of each stage, share of the work, and time left."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

FEW_S = 5.0
"""Seconds of a run before which nothing is said of the time left."""
PRIOR_S = 60.0
"""Weight of the expected times, in seconds, against those that were measured."""
LEAST_SHARE = 0.05
"""Share of a job that must be done before its speed counts."""
DEFAULT_S = 3.0
"""Expected seconds of a job that nobody described."""


@dataclass(frozen=True)
class Facts:
    """What the workflow says of itself (``workflow/rules/common.smk``).

    Attributes:
        samples: number of samples by shard.
        seconds: expected seconds of a job by stage, on one core of the measuring machine.
    """

    samples: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Job:
    """A job that was started.

    Attributes:
        stage: its rule.
        shard: its shard, if it has one.
        begun: when it was started, in seconds of the clock.
        done, total, unit: what it reported last; a total of 0 where it reported nothing.
    """

    stage: str
    shard: str | None
    begun: float
    done: int = 0
    total: int = 0
    unit: str = ""

    @property
    def share(self) -> float:
        """Share of the job that is done."""
        return self.done / self.total if self.total else 0.0


class Progress:
    """The jobs of a run.

    Args:
        counts: number of jobs to run by stage.
        facts: what the workflow says of itself.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        counts: Mapping[str, int],
        facts: Facts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = dict(counts)
        self._facts, self._clock = facts, clock
        self._began = clock()
        self._running: dict[int, Job] = {}
        self._finished: Counter[str] = Counter()
        self._started: dict[str, set[str]] = {}
        self._measured: dict[str, list[float]] = {}
        self._stage_began: dict[str, float] = {}
        self._shown = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    @property
    def finished(self) -> int:
        """Number of finished jobs."""
        return self._finished.total()

    def start(self, number: int, stage: str, shard: str | None) -> None:
        """A job was started."""
        now = self._clock()
        self._running[number] = Job(stage, shard, now)
        self._stage_began.setdefault(stage, now)
        if shard is not None:
            self._started.setdefault(stage, set()).add(shard)

    def begin(self, number: int) -> None:
        """A job has begun to compute: on a cluster, its wait in the queue does not count."""
        self._running[number].begun = self._clock()

    def report(self, number: int, done: int, total: int, unit: str) -> None:
        """A job reported how far it is."""
        job = self._running[number]
        job.done, job.total, job.unit = done, total, unit

    def finish(self, number: int) -> str | None:
        """A job ended well; its stage, if it was the last job of it."""
        job = self._running.pop(number, None)
        if job is None:
            return None
        self._finished[job.stage] += 1
        self._measured.setdefault(job.stage, []).append(self._clock() - job.begun)
        return job.stage if self._finished[job.stage] == self.counts.get(job.stage) else None

    def fail(self, number: int) -> None:
        """A job failed; it may be started again."""
        self._running.pop(number, None)

    @property
    def stages(self) -> list[str]:
        """Stages that are running, the one that was started first before the others."""
        return list(dict.fromkeys(job.stage for job in self._running.values()))

    def describe(self) -> str:
        """The running stage, and what of it is done."""
        stages = self.stages
        if not stages:
            return "choosing jobs"
        others = f" (+{len(stages) - 1})" if len(stages) > 1 else ""
        return f"{self.describe_stage(stages[0])}{others}"

    def describe_stage(self, stage: str) -> str:
        """A stage, and the samples, jobs or steps of it that are done."""
        if self._counts_samples(stage):
            done, total = self._samples(stage)
            return f"{stage} {done} of {total} samples"
        count, finished = self.counts.get(stage, 1), self._finished[stage]
        reporting = [job for job in self._running.values() if job.stage == stage and job.total]
        steps = [f"{job.done} of {job.total} {job.unit}" for job in reporting[:1]]
        jobs = [f"{finished} of {count} jobs"] if count > 1 else []
        return " ".join([stage, ", ".join([*jobs, *steps])]).rstrip()

    def describe_finished(self, stage: str) -> str:
        """A stage that is done, and how long it took."""
        took = duration(self._clock() - self._stage_began[stage])
        if self._counts_samples(stage):
            return f"{stage}: {self._samples(stage)[1]} samples, {took}"
        count = self.counts[stage]
        return f"{stage}: {f'{count} jobs, ' if count > 1 else ''}{took}"

    def _counts_samples(self, stage: str) -> bool:
        """Whether a stage has a job for each shard, or for those that are stale."""
        shards = self._started.get(stage, set())
        return (
            bool(shards)
            and shards <= self._facts.samples.keys()
            and self.counts.get(stage, 0) <= len(self._facts.samples)
        )

    def _samples(self, stage: str) -> tuple[int, int]:
        """Samples of a stage that are done, also in earlier runs, and all."""
        sizes = self._facts.samples
        running = [job for job in self._running.values() if job.stage == stage]
        waiting = self.counts[stage] - self._finished[stage] - len(running)
        unknown = [size for shard, size in sizes.items() if shard not in self._started[stage]]
        left = waiting * sum(unknown) / len(unknown) if unknown else 0.0
        left += sum(sizes[job.shard or ""] * (1 - job.share) for job in running)
        total = sum(sizes.values())
        return total - round(left), total

    def estimate(self) -> tuple[float, float | None]:
        """Share of the run that is done, and seconds left; none where too little is known.

        What a stage took so far says what the rest of it will take. Of a stage that has not begun,
        the expected time says it, scaled by what was measured against what was expected of others.
        """
        now = self._clock()
        spent = sum(map(sum, self._measured.values()))
        spent += sum(now - job.begun for job in self._running.values())
        singles = [self._left_of(job, now) for job in self._running.values()]
        waiting = sum(
            count * self._expected(stage) for stage, count in self._waiting() if count > 0
        )
        left = waiting + sum(singles)
        share = spent / (spent + left) if spent + left else 0.0
        self._shown = share = max(share, self._shown)
        if self.elapsed_s < FEW_S or not self.finished:
            return share, None
        beside = max(1.0, spent / self.elapsed_s)  # jobs at a time, so far
        return share, max(left / beside, max(singles, default=0.0))

    def _waiting(self) -> Iterator[tuple[str, int]]:
        running = Counter(job.stage for job in self._running.values())
        for stage, count in self.counts.items():
            yield stage, count - self._finished[stage] - running[stage]

    def _left_of(self, job: Job, now: float) -> float:
        spent = now - job.begun
        if job.share >= LEAST_SHARE:
            return spent * (1 - job.share) / job.share
        return max(self._expected(job.stage) - spent, 0.0)

    def _expected(self, stage: str) -> float:
        """Seconds of a job of a stage."""
        if measured := self._measured.get(stage):
            return sum(measured) / len(measured)
        took = expected = PRIOR_S
        for name, times in self._measured.items():
            took += sum(times)
            expected += len(times) * self._facts.seconds.get(name, DEFAULT_S)
        return self._facts.seconds.get(stage, DEFAULT_S) * took / expected


def duration(seconds: float) -> str:
    """A duration for people: ``40 s``, ``7 min 43 s`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_left(seconds: float | None) -> str:
    """Time left for people, in whole minutes; empty where nobody knows."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60} min left"
