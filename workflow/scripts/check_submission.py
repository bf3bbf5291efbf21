"""Check a submission as the organisers would: refuse missing, extra, repeated or wild rows.

This is a command to run by hand, not a rule's script; `write_submission` checks what it writes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from circumplex.errors import CircumplexError, RequestError
from circumplex.io.parquet import count_rows
from circumplex.submissions.files import (
    check_image_submission,
    check_listed_submission,
    check_submission,
)
from circumplex.submissions.lists import listed_samples, read_list


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and name every problem.

    Returns:
        0 if the submission is exactly what was asked for, else 1.
    """
    parser = argparse.ArgumentParser(description="Check a submission.")
    parser.add_argument("submission", type=Path, help="folder of texts, or the CSV")
    parser.add_argument(
        "--list",
        type=Path,
        required=True,
        metavar="FILE",
        help="the organisers' test list (a sample a line) or sample file (an image a line)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="results folder: count the videos' frames as it decoded them",
    )
    options = parser.parse_args(arguments)
    try:
        checked = check(options.submission, options.list, options.results)
    except CircumplexError as error:
        print(f"check_submission: {error}", file=sys.stderr)
        return 1
    print(f"{options.submission}: {checked}")
    return 0


def check(submission: Path, listed: Path, results: Path | None) -> str:
    """Check a submission against the organisers' list.

    Raises:
        RequestError: a list that does not say how many rows, and no results folder to count them.
        SubmissionError: see `circumplex.submissions.files`.
    """
    asked = listed_samples(listed)
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


if __name__ == "__main__":
    sys.exit(main())
