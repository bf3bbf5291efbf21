"""Say what a run will cost before it starts: jobs, CPU and GPU hours and disk, by stage.

This is a command to run by hand, not a rule's script: ``make estimate CONFIGS=...``.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from circumplex.cli.config import plan_of
from circumplex.config.modalities import Modality
from circumplex.errors import CircumplexError, SampleError
from circumplex.media.video import open_media
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.resources import DEFAULT_SECONDS, GPU_SPEED, Estimate, estimate


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table.

    Returns:
        1 if the config or the sheet makes no sense, else 0.
    """
    parser = argparse.ArgumentParser(description="What a run will cost, before it starts.")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="presets")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="estimate: %(message)s")
    try:
        plan = plan_of(options.configfile)
    except CircumplexError as error:
        print(f"estimate: {error}", file=sys.stderr)
        return 1
    _report(plan, _seconds(plan))
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
    shards, models = len(plan.shards), len(plan.runs)
    stages = [plan.timeline, "read_labels"]
    if plan.extracts(Modality.AUDIO):
        stages.append("extract_audio")
    if plan.extracts(Modality.VISUAL):
        stages += ["align_faces", "fill_frames"]
    stages += [feature.stage for feature in plan.features if not feature.imported]
    if plan.timeline == "extract_frames":
        stages.append("summarise_quality")
    jobs = dict.fromkeys(stages, shards)
    imported = sum(feature.imported for feature in plan.features)
    if imported:
        jobs["import_features"] = shards * imported
    jobs["pack_features"] = shards * len(plan.features)
    jobs |= {"train_encoder": models, "predict_frames": models}
    passes = {"train_encoder": models, "predict_frames": models}
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


if __name__ == "__main__":
    sys.exit(main())
