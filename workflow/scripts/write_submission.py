"""This script writes a submission: the test samples' predictions in a challenge's format."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.digests import file_digest
from circumplex.files import write_json
from circumplex.logs import set_up
from circumplex.prediction_tables import PredictionTable
from circumplex.submissions import (
    check_image_submission,
    check_submission,
    write_image_submission,
    write_submission,
)

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the files, check them as the organisers would, and list them in a manifest."""
    set_up(snakemake.log[0], "write_submission")
    tracked = snakemake.params.stage
    table = PredictionTable(Path(snakemake.input[0]))
    manifest = Path(snakemake.output[0])
    folder = manifest.parents[1] / "submissions" / tracked["name"]
    missing = [sample for sample in tracked["samples"] if sample not in table]
    predicted = [sample for sample in tracked["samples"] if sample in table]
    rows = {sample: len(table.values(sample)) for sample in predicted}
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    if tracked["format"] == "abaw3":
        for sample in predicted:
            write_submission(folder / f"{sample}.txt", table.values(sample))
        check_submission(folder, rows)
    else:
        path = folder / "predictions.csv"
        write_image_submission(path, ((sample, table.values(sample)) for sample in predicted))
        check_image_submission(path, rows)
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    write_json(
        manifest,
        {
            "ensemble": tracked["ensemble"],
            "format": tracked["format"],
            "folder": str(folder.relative_to(manifest.parents[1])),
            "files": files,
            "missing": missing,
        },
    )


if __name__ == "__main__":
    main(snakemake)
