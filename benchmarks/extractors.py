"""How fast the deep extractors are: their networks alone, and the whole rules.

    .venv/bin/python benchmarks/extractors.py [--features iresnet] [--threads 2]

For each extractor, with seeded random weights of full size, in one run: the bare forward pass in
eager float32 (channels first); at the best setting that keeps the features
(`circumplex.features.tuning`); and the whole rule at that setting, from the
tables and waves of the stages before to the store's files and the index, in the
steady state: loading and compiling are printed apart.

The rule runs in rounds of a shard each, which begin and end with an idle network, and the bare best
is measured by the same network before, between and after them, so that whatever else the machine
does strikes both. Have rounds last about as long as the bare stretches (6 s), and where rates of
rounds differ much, go by the median round, each compared with the bare stretches beside it. A shard
before them is not counted: with its first table a job loads what it has not yet. Printed beside the
rates: the cores that the process kept busy, which tells a disturbed run (with 2 threads, less than
about 1.9 in the bare network) from a slow rule.

Rates are in face crops, VGGish examples, or seconds of sound. The speech encoder's rule also
computes the context of its windows, which the bare pass of a window does too; "useful" leaves it
out.

``--clock cpu`` counts the CPU time of all threads instead: for a machine that others use as well.
It shows no overlap, so use it with one thread.
"""

import argparse
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import torch

from circumplex.features.extractors import densenet, fau, iresnet, vggish, wav2vec2
from circumplex.features.tuning import LEAST_BATCHES, Trial, Tuner, recommend
from circumplex.features.tuning_inputs import inputs_of, synthesise_crops, synthesise_sound
from circumplex.io.parquet import TableWriter, count_rows, frame_schema
from circumplex.media.wave import SAMPLE_RATE
from circumplex.pipeline.jobs.extraction import extract_examples, extract_faces, extract_rows
from circumplex.pipeline.jobs.job import RunningJob
from circumplex.pipeline.jobs.shard import ShardJob
from circumplex.pipeline.records import Job
from circumplex.pipeline.requests import ShardRequest
from circumplex.pipeline.store import (
    Entry,
    Problem,
    SampleRequest,
    Status,
    Task,
    run_shard_together,
)

NOWHERE = Path("nowhere")  # no run to take inputs from: made ones
CLIP_FRAMES = 351  # two are no multiple of a batch, and no round wastes much of its last one
CLIP_EXAMPLES = 351
CLIP_S = 160.0  # Aff-Wild2's mean
BARE_S = 6.0  # seconds of the network alone before, between and after the rounds
Clock = Callable[[], float]
Extract = Callable[[ShardJob, Sequence[Task], Any], Iterator[tuple[Task, Problem | None]]]


class Stretch(NamedTuple):
    """A stretch of work."""

    items: float
    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Whole:
    """The rule in the steady state, apart from the seconds of loading and compiling.

    Attributes:
        rows: written.
        load_s: seconds to load.
        first_s: seconds of the first batch, compiling included.
        rounds: of the rule.
        bare: the network alone, before, between and after the rounds.
    """

    rows: int
    load_s: float
    first_s: float
    rounds: Sequence[Stretch]
    bare: Sequence[Stretch]


def job_of(folder: Path) -> ShardJob:
    index = "index/extract/000-of-001.json"
    job = Job("000-of-001", ShardRequest("extract", "code"), {}, (index,))
    outputs = {"index": [folder / index]}
    return ShardJob.of(RunningJob(job, folder, {}, outputs, torch.get_num_threads(), {}))


def request_of(folder: Path, sample: str, **files: Path) -> SampleRequest:
    upstream = {
        stage: Entry(Status.OK, str(path.relative_to(folder)), sample, stage)
        for stage, path in files.items()
    }
    return SampleRequest(sample, {}, upstream)


def write_faces(folder: Path, sample: str, frames: int) -> SampleRequest:
    """Tables of faces and fill: every frame with a JPEG crop of its own."""
    crops = [cv2.imencode(".jpg", crop)[1].tobytes() for crop in synthesise_crops(64)]
    faces, fill = folder / f"{sample}.faces.parquet", folder / f"{sample}.fill.parquet"
    schema = frame_schema(pa.field("crop", pa.binary()))
    numbers = np.arange(frames)
    with TableWriter(faces, schema, {}) as table:
        given = [crops[k % len(crops)] for k in range(frames)]
        table.write(frame=numbers, time_s=numbers / 30, crop=given)
    schema = frame_schema(pa.field("source_frame", pa.int32()))
    with TableWriter(fill, schema, {}) as table:
        table.write(frame=numbers, time_s=numbers / 30, source_frame=numbers)
    return request_of(folder, sample, align_faces=faces, fill_frames=fill)


def write_sound(folder: Path, sample: str, seconds: float) -> SampleRequest:
    path = folder / f"{sample}.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        sound = synthesise_sound(round(seconds * SAMPLE_RATE))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return request_of(folder, sample, extract_audio=path)


def timed(work: Callable[[], float], clock: Clock) -> Stretch:
    """Run what returns how many items it did."""
    begin, cpu = clock(), time.process_time()
    items = work()
    return Stretch(items, clock() - begin, time.process_time() - cpu)


def run_whole(
    folder: Path,
    warm_up: SampleRequest,
    rounds: Sequence[Sequence[SampleRequest]],
    case: "Case",
    build: Any,
    clock: Clock,
) -> Whole:
    """Load as the rule does, then alternate the network alone, warmed up, with shards.

    Args:
        folder: of the inputs and the tables.
        warm_up: run first and not counted.
        rounds: of the rule.
        case: the extractor.
        build: makes it.
        clock: of the stretches.
    """
    begin = time.perf_counter()
    extractor = build()
    inputs = inputs_of(extractor, NOWHERE)
    loaded = time.perf_counter()
    extractor.embed(inputs)
    first_s = time.perf_counter() - loaded
    batch = extractor.batch(inputs)

    def bare() -> float:
        start, batches = clock(), 0
        while batches < LEAST_BATCHES or clock() - start < BARE_S:
            extractor.network(batch).cpu()
            batches += 1
        return batches * case.batch_items

    def rule(requests: Sequence[SampleRequest]) -> float:
        job = job_of(folder)
        make_all = partial(case.extract, job, extractor=extractor)
        run_shard_together(job.stage, job.running.output("index"), requests, make_all)
        return len(requests) * case.clip_items

    def rows() -> int:
        return sum(count_rows(path) for path in (folder / "extract").glob("*.parquet"))

    rule([warm_up])
    rows_before = rows()
    alone, whole = [timed(bare, clock)], []
    for requests in rounds:
        whole.append(timed(partial(rule, requests), clock))
        alone.append(timed(bare, clock))
    return Whole(rows() - rows_before, loaded - begin, first_s, whole, alone)


def total(stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Items a second, and the cores kept busy."""
    items, seconds, cpu_s = (sum(values) for values in zip(*stretches, strict=True))
    return items / seconds, cpu_s / seconds


@dataclass(frozen=True)
class Case:
    """An extractor at full size, and the work to give its rule.

    Attributes:
        build: makes it.
        options: of it.
        extract: its rule's work on many samples.
        write: writes a sample's inputs.
        clip: size of a sample, in the unit of ``write``.
        clip_items: items of a sample.
        batch_items: items of the network's batch, whose rate is compared.
        useful: share of the rule's items that are not computed twice.
    """

    build: Any
    options: Mapping[str, Any]
    extract: Extract
    write: Callable[[Path, str, Any], SampleRequest]
    clip: float
    clip_items: float
    batch_items: float
    useful: float = 1.0


RANDOM = {"weights": "random:0"}
IMAGES = {**RANDOM, "precision": "float32", "compile": False, "channels_last": False}
DEEP = {**IMAGES, "depth": 100}
PASS_S, KEPT_S = 24.0, 20.0  # of the speech encoder, as config.yaml has it
PASSES = 1 + -(-(CLIP_S - PASS_S) // KEPT_S)
CASES = {
    "densenet": Case(
        densenet.build, IMAGES, extract_faces, write_faces, CLIP_FRAMES, CLIP_FRAMES, 32
    ),
    "iresnet": Case(iresnet.build, DEEP, extract_faces, write_faces, CLIP_FRAMES, CLIP_FRAMES, 32),
    "fau": Case(fau.build, DEEP, extract_faces, write_faces, CLIP_FRAMES, CLIP_FRAMES, 32),
    "vggish": Case(
        vggish.build,
        IMAGES,
        extract_examples,
        write_sound,
        0.96 * CLIP_EXAMPLES + 0.02,
        CLIP_EXAMPLES,
        16,
    ),
    "wav2vec2": Case(
        wav2vec2.build,
        {**RANDOM, "precision": "float32", "size": "base"},
        extract_rows,
        write_sound,
        CLIP_S,
        PASSES * PASS_S,
        PASS_S,
        CLIP_S / (PASSES * PASS_S),
    ),
}
FEATURES = ("densenet", "iresnet", "vggish", "wav2vec2")  # fau is iresnet with other weights


def measure(name: str, frames: int, rounds: int, clock: Clock) -> None:
    """Print an extractor's lines."""
    case = CASES[name]
    trials: list[Trial] = []
    print(f"\n{name}", flush=True)
    tuner = Tuner(case.build, case.options, "cpu", partial(inputs_of, results=NOWHERE), clock)
    for trial in tuner.trials():
        trials.append(trial)
        settings = ", ".join(f"{key} {value}" for key, value in trial.settings.items())
        print(
            f"  {settings:58}{1000 * trial.seconds:9.0f} ms/batch{trial.cosine:10.6f}"
            f"{trial.error:8.4f}{'' if trial.same_bits else ' OTHER BITS'}",
            flush=True,
        )
    best = recommend(trials)
    build = partial(case.build, {**case.options, **best.settings}, "cpu")
    clips = -(-frames // (rounds * CLIP_FRAMES)) if name != "wav2vec2" else -(-3 // rounds)
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        warm_up = case.write(folder, "clip", case.clip)
        requests = [
            [case.write(folder, f"clip{k}-{j}", case.clip) for j in range(clips)]
            for k in range(rounds)
        ]
        whole = run_whole(folder, warm_up, requests, case, build, clock)
    plain = case.batch_items / trials[0].seconds
    (bare, bare_cores), (rate, cores) = total(whole.bare), total(whole.rounds)
    each = ", ".join(f"{one.items / one.seconds:.2f}" for one in whole.rounds)
    beside = [total(pair)[0] for pair in pairwise(whole.bare)]
    ratios = [total([one])[0] / near for one, near in zip(whole.rounds, beside, strict=True)]
    print(
        f"  load {whole.load_s:.1f} s, first batch {whole.first_s:.1f} s\n"
        f"  bare eager float32 {plain:.2f}/s\n"
        f"  bare best {bare:.2f}/s on {bare_cores:.2f} cores, {bare / plain:.2f} times the eager\n"
        f"  whole rule {rate:.2f}/s ({each}) on {cores:.2f} cores, {whole.rows} rows written, "
        f"useful {case.useful * rate:.2f}/s\n"
        f"  whole rule {rate / bare:.3f} of bare best, {median(ratios):.3f} in the median round, "
        f"{rate / plain:.2f} times the eager",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--features", nargs="+", choices=CASES, default=FEATURES)
    parser.add_argument("--frames", type=int, default=2000, help="of the whole rule, at least")
    parser.add_argument("--rounds", type=int, default=6, help="that the frames are dealt to")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, {arguments.clock} time, PyTorch {torch.__version__}")
    ticking: Clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    for feature in arguments.features:
        measure(feature, arguments.frames, arguments.rounds, ticking)
