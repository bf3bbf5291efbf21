"""This script packs one feature of a shard's samples, on the frame's clock, for training."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.config.modalities import Framing
from circumplex.features.packs import PackedSample, pack_features
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.pipeline.store import Status, joined

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the pack and its index; a sample that failed before is in neither."""
    set_up(snakemake.log[0], "pack_features", snakemake.resources)
    tracked = snakemake.params.stage
    results = results_of(snakemake)
    stages = {name: Path(path) for name, path in snakemake.input.items()}
    samples = {}
    for name, entries in joined(stages).items():
        timeline, feature = entries["extract_frames"], entries["feature"]
        if timeline.status is Status.OK and feature.status is not Status.FAILED:
            table = results / feature.file if feature.status is Status.OK else None
            samples[name] = PackedSample(results / timeline.file, table)
    framing = tracked["options"]["framing"]
    pack_features(
        samples,
        tracked["feature"],
        Framing(framing) if framing else None,
        Path(snakemake.output.array),
        Path(snakemake.output.index),
        dimension=tracked["options"]["dimension"],
        dtype=tracked["options"]["dtype"],
    )


if __name__ == "__main__":
    main(snakemake)
