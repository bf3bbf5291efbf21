"""``circumplex check-submission``: refuse missing, extra, repeated or invalid rows.

`write_submission` checks what it writes in the same way.
"""

import argparse
from pathlib import Path

from circumplex.errors import RequestError
from circumplex.io.parquet import count_rows
from circumplex.io.sample_lists import read_list, read_sample_list
from circumplex.submissions.files import (
    check_image_submission,
    check_listed_submission,
    check_submission,
)

EXAMPLE = "circumplex check-submission results/submissions/main --list FILE --results results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "submission", type=Path, metavar="SUBMISSION", help="folder of text files, or the CSV file"
    )
    parser.add_argument(
        "--list",
        type=Path,
        required=True,
        metavar="FILE",
        help="the organisers' test list (one sample per line) or sample file (one image per line)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="results folder: take the number of frames of each video from there",
    )


def run(options: argparse.Namespace) -> int:
    """Check the submission; the error names every problem."""
    checked = check(options.submission, options.list, options.results)
    print(f"{options.submission}: {checked}")
    return 0


def check(submission: Path, listed: Path, results: Path | None) -> str:
    """Check a submission against the organisers' list.

    Raises:
        RequestError: a list that does not say how many rows, and no results folder to count them.
        SubmissionError: see `circumplex.submissions.files`.
    """
    asked = read_sample_list(listed)
    images = None not in asked.values()
    if images and submission.suffix == ".csv":
        check_listed_submission(submission, read_list(listed))
        return f"{sum(1 for _ in read_list(listed))} rows as listed"
    rows = {}
    for sample, highest in asked.items():
        stages = ("extract_frames", "import_frames")
        found = [results / stage / f"{sample}.parquet" for stage in stages] if results else []
        timeline = next((path for path in found if path.is_file()), found[0] if found else None)
        if timeline is not None and not timeline.is_file():
            raise RequestError(f"{timeline} is missing: the frames of {sample} are not known")
        if timeline is None and highest is None:
            raise RequestError(
                f"{listed} names samples alone; give --results, whose videos have been decoded"
            )
        rows[sample] = count_rows(timeline) if timeline else int(highest or 0)
    if submission.suffix == ".csv":
        check_image_submission(submission, rows)
    else:
        check_submission(submission, rows)
    return f"{len(rows)} samples, {sum(rows.values())} rows"
