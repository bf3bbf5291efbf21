"""How fast the deep extractors are: their networks alone, and the whole rules.

    PYTHONPATH=workflow/scripts python benchmarks/extractors.py [--features iresnet] [--threads 2]

For each extractor, with seeded random weights of full size, in one run: the bare forward pass in
eager float32 (channels first); at the best setting that keeps the features (`circumplex.tuning`);
and the whole rule at that setting, from the tables and waves of the stages before to the store's
files and the index, in the steady state: loading and compiling are printed apart. Rates are in
face crops, VGGish examples, or seconds of sound. The speech encoder's rule also computes the
context of its windows, which the bare pass of a window does too; "useful" leaves it out.

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
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from circumplex.audio_extraction import extract_examples
from circumplex.extractors import densenet, fau, iresnet, vggish, wav2vec2
from circumplex.extractors.audio import SAMPLE_RATE, extract_audio_feature
from circumplex.jobs import ShardJob
from circumplex.store import Entry, Problem, Request, Stage, Status, Task, run_shard_together
from circumplex.table import TableWriter, count_rows, frame_schema
from circumplex.tuning import Trial, Tuner, recommend
from circumplex.tuning_inputs import inputs_of, made_crops, made_sound
from circumplex.visual_extraction import extract_faces

NOWHERE = Path("nowhere")  # no run to take inputs from: made ones
CLIP_FRAMES = 410  # no multiple of a batch
CLIP_EXAMPLES = 401
CLIP_S = 160.0  # Aff-Wild2's mean
Clock = Callable[[], float]
Extract = Callable[[ShardJob, Sequence[Task], Any], Iterator[tuple[Task, Problem | None]]]


@dataclass(frozen=True)
class Whole:
    """The rule in the steady state, apart from the seconds of loading and compiling."""

    rows: int
    seconds: float
    load_s: float
    first_s: float


def job_of(folder: Path) -> ShardJob:
    stage = Stage("extract", folder, "code", {})
    index = folder / "index/extract/000-of-001.json"
    return ShardJob(stage, index, {}, {}, {}, {}, "cpu", torch.get_num_threads())


def request_of(folder: Path, sample: str, **files: Path) -> Request:
    upstream = {
        stage: Entry(Status.OK, str(path.relative_to(folder)), sample, stage)
        for stage, path in files.items()
    }
    return Request(sample, {}, upstream)


def write_faces(folder: Path, sample: str, frames: int) -> Request:
    """Tables of faces and fill: every frame with a JPEG crop of its own."""
    crops = [cv2.imencode(".jpg", crop)[1].tobytes() for crop in made_crops(64)]
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


def write_sound(folder: Path, sample: str, seconds: float) -> Request:
    path = folder / f"{sample}.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        sound = made_sound(round(seconds * SAMPLE_RATE))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return request_of(folder, sample, extract_audio=path)


def extract_speech(
    job: ShardJob, tasks: Sequence[Task], extractor: Any
) -> Iterator[tuple[Task, Problem | None]]:
    for task in tasks:
        wave = job.path(task.request.upstream["extract_audio"])
        extract_audio_feature(wave, task.output, extractor, task.metadata)
        yield task, None


def run_whole(
    folder: Path, requests: Sequence[Request], extract: Extract, build: Any, clock: Clock
) -> Whole:
    """Run the shard's job; one batch before the clock starts, for compiling."""
    job = job_of(folder)
    before: list[float] = []

    def make_all(tasks: Sequence[Task]) -> Iterator[tuple[Task, Problem | None]]:
        begin = time.perf_counter()
        extractor = build()
        before.append(time.perf_counter() - begin)
        inputs = inputs_of(extractor, NOWHERE)
        begin = time.perf_counter()
        extractor.embed(inputs)
        before.append(time.perf_counter() - begin)
        before.append(clock())
        yield from extract(job, tasks, extractor)

    run_shard_together(job.stage, job.index, requests, make_all)
    end = clock()
    rows = sum(count_rows(path) for path in (folder / "extract").glob("*.parquet"))
    return Whole(rows, end - before[2], before[0], before[1])


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
    write: Callable[[Path, str, Any], Request]
    clip: float
    clip_items: float
    batch_items: float
    useful: float = 1.0


RANDOM = {"weights": {"random": 0}}
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
        extract_speech,
        write_sound,
        CLIP_S,
        PASSES * PASS_S,
        PASS_S,
        CLIP_S / (PASSES * PASS_S),
    ),
}
FEATURES = ("densenet", "iresnet", "vggish", "wav2vec2")  # fau is iresnet with other weights


def measure(name: str, frames: int, clock: Clock) -> None:
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
    clips = -(-frames // CLIP_FRAMES) if name != "wav2vec2" else 1
    with tempfile.TemporaryDirectory() as folder:
        requests = [case.write(Path(folder), f"clip{k}", case.clip) for k in range(clips)]
        whole = run_whole(Path(folder), requests, case.extract, build, clock)
    plain, bare = case.batch_items / trials[0].seconds, case.batch_items / best.seconds
    rate = clips * case.clip_items / whole.seconds
    print(
        f"  bare eager float32 {plain:.2f}/s; bare best {bare:.2f}/s ({bare / plain:.2f} times); "
        f"whole rule {rate:.2f}/s over {clips * case.clip_items:.0f} items: {rate / bare:.3f} of "
        f"bare best, {rate / plain:.2f} times eager float32; useful {case.useful * rate:.2f}/s; "
        f"{whole.rows} rows written; load {whole.load_s:.1f} s, first batch {whole.first_s:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--features", nargs="+", choices=CASES, default=FEATURES)
    parser.add_argument("--frames", type=int, default=2000, help="of the whole rule, at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, {arguments.clock} time, PyTorch {torch.__version__}")
    ticking: Clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    for feature in arguments.features:
        measure(feature, arguments.frames, ticking)
