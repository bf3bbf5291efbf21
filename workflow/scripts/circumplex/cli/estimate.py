"""``circumplex estimate``: jobs, CPU and GPU hours and disk space of a run, by stage."""

import argparse
import logging
from collections import Counter
from dataclasses import astuple

from circumplex.cli.config import add_presets, plan_of
from circumplex.errors import SampleError
from circumplex.media.video import open_media
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.resources import DEFAULT_SECONDS, GPU_SPEED, Estimate, estimate, needs
from circumplex.pipeline.stages import sample_stages
from circumplex.report.corpus import SHORT_S

EXAMPLE = "circumplex estimate --configfile config/demo.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_presets(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        RequestError: the config or the sheet is invalid.
    """
    logging.basicConfig(format="circumplex: warning: %(message)s")
    plan = plan_of(options.configfile)
    seconds = _seconds(plan)
    _report(plan, seconds)
    if plan.causal and seconds <= SHORT_S * len(plan.samples):
        print(
            f"\nSamples last {seconds / len(plan.samples):.1f} s on average, and the encoder of "
            f"{', '.join(plan.causal)} reads forward alone: where such clips begin in silence, "
            "bilstm and transformer, which read whole segments, do better (docs/training.md)."
        )
    return 0


def _seconds(plan: Plan) -> float:
    total = 0.0
    for sample in plan.samples:
        if sample.video is None:
            total += DEFAULT_SECONDS
            continue
        try:
            with open_media(sample.video) as container:
                # In microseconds; none where the container does not say.
                total += (container.duration or 1e6 * DEFAULT_SECONDS) / 1e6
        except SampleError as error:
            logging.warning(
                "%s: %s; counted as %.0f s, the mean of Aff-Wild2",
                *(sample.sample, error, DEFAULT_SECONDS),
            )
            total += DEFAULT_SECONDS
    return total


def _report(plan: Plan, seconds: float) -> None:
    shards, models, trained = len(plan.shards), len(plan.runs), len(plan.trained_runs)
    jobs: Counter[str] = Counter()
    for stage in sample_stages(plan):
        jobs[stage if stage in needs() else "import_features"] += shards
    jobs["pack_features"] = shards * len(plan.features)
    jobs |= {"train_encoder": trained, "predict_frames": models}
    passes = {"train_encoder": trained, "predict_frames": models}
    costs = estimate(seconds, jobs, passes)
    print(f"{len(plan.samples)} samples, {seconds / 3600:.2f} hours of video\n")
    print(f"{'stage':<20}{'jobs':>8}{'CPU hours':>12}{'GPU hours':>12}{'disk GB':>10}")
    total = Estimate(*(sum(column) for column in zip(*map(astuple, costs.values()), strict=True)))
    for stage, cost in {**costs, "all": total}.items():
        print(
            f"{stage:<20}{cost.jobs:>8}{cost.cpu_hours:>12.2f}{cost.gpu_hours:>12.2f}"
            f"{cost.disk_gb:>10.2f}"
        )
    print(
        "\nAs if nothing were done yet, on the CPU, in float32, with the networks of config.yaml "
        "and 30 epochs of a Transformer a model: an upper bound. With a GPU (compute.gpu: 1) the "
        "stages with GPU hours take these in place of their CPU hours, if it is worth "
        f"{GPU_SPEED:.0f} cores: an assumption, no GPU was at hand to measure."
    )
