"""``circumplex estimate``: what a run will cost, by stage and in words, before it starts."""

import argparse
import csv
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from circumplex.cli.checkout import find_checkout
from circumplex.cli.config import add_presets, plan_of
from circumplex.config.outputs import ProxyChoice
from circumplex.config.samples import Sample
from circumplex.config.still_sets import AnyStillSet, StillSet
from circumplex.errors import SampleError
from circumplex.io.digests import DigestCache
from circumplex.media.images import find_images
from circumplex.media.playback import find_obstacle
from circumplex.media.video import open_media
from circumplex.pipeline.costs import Measured, measure_stage
from circumplex.pipeline.estimates import (
    FRAMES_PER_S,
    GPU_SPEED,
    PIXELS,
    Cost,
    Estimator,
    Material,
    count_jobs,
)
from circumplex.pipeline.graph import Graph
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.resources import DEFAULT_SECONDS
from circumplex.pipeline.stages import sample_stages
from circumplex.pipeline.store import read_index
from circumplex.report.corpus import SHORT_S

EXAMPLE = "circumplex estimate --configfile config/demo.yaml"
GB, MB = 1e9, 1e6
LONG_S = 7200.0
"""CPU seconds from which hours are shown, and not minutes."""
STILL_SET: TypeAdapter[StillSet] = TypeAdapter(AnyStillSet)
LEAST_MEASURED_S = 1.0
"""CPU seconds below which a finished stage corrects nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_presets(parser)
    parser.add_argument(
        "--cores",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="cores to compute on (default: this machine's)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the table and its sums in words.

    Raises:
        RequestError: the config or the sheet is invalid.
    """
    logging.basicConfig(format="circumplex: warning: %(message)s")
    plan = plan_of(options.configfile)
    graph = Graph(
        RequestBuilder(plan, find_checkout(), DigestCache(plan.results / ".digests.json"))
    )
    material = {sample.sample: _look_at(sample, plan) for sample in plan.samples}
    estimator = Estimator(plan, material, _count_stills(plan))
    costs = estimator.costs(count_jobs(graph, plan), _measure(plan))
    seconds = sum(one.seconds for one in material.values())
    print(f"{len(plan.samples)} samples, {_duration(seconds)} of video or sound\n")
    print("\n".join(_table(costs)))
    print("\n" + "\n".join(_words(costs, max(1, options.cores))))
    if plan.causal and seconds <= SHORT_S * len(plan.samples):
        print(
            f"\nSamples last {seconds / len(plan.samples):.1f} s on average, and the encoder of "
            f"{', '.join(plan.causal)} reads forward alone: where such clips begin in silence, "
            "bilstm and transformer, which read whole segments, do better (docs/training.md)."
        )
    return 0


def _look_at(sample: Sample, plan: Plan) -> Material:
    """What a sample's file says of itself; a usual one's numbers where it says nothing."""
    path = sample.video or sample.audio
    usual = Material(DEFAULT_SECONDS, DEFAULT_SECONDS * FRAMES_PER_S, PIXELS)
    if path is None:
        return usual
    try:
        if sample.image_rate is not None and path.is_dir():
            frames = len(find_images(path))
            return Material(frames / sample.image_rate, frames, PIXELS, _has_proxy(sample, plan))
        with open_media(path) as container:
            # In microseconds; none where the container does not say.
            seconds = (container.duration or 1e6 * DEFAULT_SECONDS) / 1e6
            if not container.streams.video:
                return Material(seconds, seconds * plan.config["media"]["audio_only_fps"], 0)
            picture = container.streams.video[0]
            rate = float(picture.average_rate or FRAMES_PER_S)
            pixels = float(picture.codec_context.width * picture.codec_context.height)
        return Material(seconds, seconds * rate, pixels, _has_proxy(sample, plan))
    except SampleError as error:
        logging.warning(
            "%s: %s; counted as %.0f s, the mean of Aff-Wild2",
            *(sample.sample, error, DEFAULT_SECONDS),
        )
        return usual


def _has_proxy(sample: Sample, plan: Plan) -> bool:
    """Whether the player page gets a small copy of a sample's video."""
    if plan.proxies is None or sample.video is None:
        return False
    if sample.sample not in {one.sample for one in plan.shown}:
        return False
    return plan.proxies is ProxyChoice.ALWAYS or bool(find_obstacle(sample.video))


def _count_stills(plan: Plan) -> dict[str, int]:
    """Images for training of each set: of a table its rows, else what its authors publish."""
    wanted = {
        name for recipe in plan.trained_recipes for name in plan.backbones.recipes[recipe].sets
    }
    counts = {}
    for name in wanted:
        still_set = STILL_SET.validate_python(plan.still_sets[name])
        path = Path(still_set.path)
        counts[name] = still_set.usual_images
        if not counts[name] and path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            counts[name] = sum(row.get("split", "train") == "train" for row in rows)
    return counts


def _measure(plan: Plan) -> dict[str, Measured]:
    """What stages of per-sample files took in this run's own results, where it has any."""
    found = {}
    for stage in sample_stages(plan):
        shards = {shard: plan.results / f"index/{stage}/{shard}.json" for shard in plan.shards}
        entries = {shard: read_index(path) for shard, path in shards.items() if path.is_file()}
        done = measure_stage(plan.results, stage, entries)
        if done.cpu_s >= LEAST_MEASURED_S:
            found[stage] = done
    return found


def _table(costs: Mapping[str, Cost]) -> list[str]:
    """A line for each stage, the dearest first, in units that suit the sum."""
    total = _sum(costs)
    time = ("hours", 3600.0) if total.cpu_s >= LONG_S else ("min", 60.0)
    disk = ("GB", GB) if total.disk_bytes >= GB else ("MB", MB)
    units = f"{f'CPU {time[0]}':>11}{f'GPU {time[0]}':>11}{f'disk {disk[0]}':>9}"
    lines = [f"{'stage':<22}{'jobs':>6}{units}"]
    ordered = sorted(costs.items(), key=lambda item: -item[1].cpu_s)
    for stage, cost in [*ordered, ("all", total)]:
        line = (
            f"{stage:<22}{cost.jobs:>6}{cost.cpu_s / time[1]:>11.2f}{cost.gpu_s / time[1]:>11.2f}"
        )
        line += f"{cost.disk_bytes / disk[1]:>9.2f}"
        lines.append(line + ("  measured here" if cost.measured else ""))
    return lines


def _sum(costs: Mapping[str, Cost]) -> Cost:
    every = costs.values()
    return Cost(
        sum(cost.jobs for cost in every),
        sum(cost.cpu_s for cost in every),
        sum(cost.network_s for cost in every),
        sum(cost.disk_bytes for cost in every),
    )


def _words(costs: Mapping[str, Cost], cores: int) -> list[str]:
    """The sums of the table in words."""
    total = _sum(costs)
    stage, most = max(costs.items(), key=lambda item: item[1].cpu_s)
    kept, largest = max(costs.items(), key=lambda item: item[1].disk_bytes)
    beside = (total.cpu_s - total.network_s) / cores
    measured = any(cost.measured for cost in costs.values())
    basis = (
        "Stages marked 'measured here' are corrected by the benchmarks in the results folder, the "
        "others by the mean of those corrections."
        if measured
        else "By a table that was measured on one machine; a run of some samples into the same "
        "results folder corrects it."
    )
    return [
        f"On {cores} cores about {_duration(total.cpu_s / cores)} if all are busy all the time, "
        f"{_duration(total.cpu_s)} of one core; {total.disk_bytes / GB:.3g} GB of results.",
        f"Most of it: {stage}, {most.cpu_s / max(total.cpu_s, 1e-9):.0%} of the CPU time; "
        f"{kept}, {largest.disk_bytes / max(total.disk_bytes, 1):.0%} of the disk.",
        f"With one GPU (compute.gpu: 1) about {_duration(beside + total.gpu_s)}, if it is worth "
        f"{GPU_SPEED:.0f} cores: an assumption, no GPU was at hand to measure.",
        f"As if nothing were done yet. {basis}",
    ]


def _duration(seconds: float) -> str:
    """A duration in the unit that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.1f} days"
