"""This script writes a submission: the test samples' predictions in a challenge's format."""

from pathlib import Path
from typing import TYPE_CHECKING

from circumplex.io.atomic import write_json
from circumplex.io.digests import file_digest
from circumplex.pipeline.jobs.logs import set_up
from circumplex.pipeline.jobs.shard import results_of
from circumplex.predictions.table import PredictionTable
from circumplex.submissions.files import replacing_folder
from circumplex.submissions.submission import Submission

if TYPE_CHECKING:
    from snakemake.script import Snakemake


def main(snakemake: "Snakemake") -> None:
    """Write the files, check them as the organisers would, and list them in a manifest."""
    set_up(snakemake.log[0], "write_submission", snakemake.resources)
    tracked = snakemake.params.stage
    results = results_of(snakemake)
    folder = results / "submissions" / tracked["name"]
    submission = Submission(
        table=PredictionTable(Path(snakemake.input.predictions)),
        samples=tracked["samples"],
        listed=Path(str(snakemake.input.rows)) if tracked["list"] else None,
        by_list=tracked["rows"] == "list",
        max_difference=tracked["max_difference"],
    )
    with replacing_folder(folder) as temporary:
        if tracked["format"] == "abaw3":
            submission.write_texts(temporary)
        else:
            submission.write_table(temporary / "predictions.csv")
        files = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
    write_json(
        Path(snakemake.output[0]),
        {
            "ensemble": tracked["ensemble"],
            "format": tracked["format"],
            "folder": str(folder.relative_to(results)),
            "files": files,
            "missing": submission.missing,
            "counted_otherwise": submission.counted_otherwise,
        },
    )


if __name__ == "__main__":
    main(snakemake)
