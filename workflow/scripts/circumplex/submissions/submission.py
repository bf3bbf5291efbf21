"""Assemble a submission: its samples, its rows, and which predictions are missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.io.sample_lists import ListedRow, read_list, read_sample_list
from circumplex.predictions.table import PredictionTable
from circumplex.submissions.files import (
    SubmissionError,
    check_image_submission,
    check_listed_submission,
    check_submission,
    fit_rows,
    write_image_submission,
    write_listed_submission,
    write_submission,
)


@dataclass(frozen=True)
class Submission:
    """Samples and rows of a submission.

    Attributes:
        table: predictions of the ensemble.
        samples: samples in the order of the list, or of the sheet without a list.
        listed: the organisers' list; None if there is none.
        by_list: whether frames are counted as in the list instead of as decoded.
        max_difference: largest accepted difference between the two counts of frames.
    """

    table: PredictionTable
    samples: Sequence[str]
    listed: Path | None
    by_list: bool
    max_difference: int

    @cached_property
    def missing(self) -> list[str]:
        """Samples without predictions, which failed in an earlier stage."""
        return [sample for sample in self.samples if sample not in self.table]

    @cached_property
    def predicted(self) -> list[str]:
        """Samples with predictions."""
        return [sample for sample in self.samples if sample in self.table]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Number of rows of each predicted sample."""
        if not self.by_list:
            return {sample: self.table.frames(sample) for sample in self.predicted}
        return {sample: self._listed_rows[sample] for sample in self.predicted}

    @cached_property
    def counted_otherwise(self) -> dict[str, list[int]]:
        """Frames as [decoded, listed] of the samples for which these counts differ."""
        both = {
            sample: [self.table.frames(sample), self._listed_rows[sample]]
            for sample in self.predicted
            if sample in self._listed_rows
        }
        return {sample: counts for sample, counts in both.items() if counts[0] != counts[1]}

    @cached_property
    def _listed_rows(self) -> dict[str, int]:
        found = read_sample_list(self.listed) if self.listed else {}
        return {sample: rows for sample, rows in found.items() if rows is not None}

    def values(self, sample: str) -> NDArray[np.floating]:
        """Predictions of a sample with the required number of rows, (rows, 2).

        Raises:
            SubmissionError: the list has too many more frames; the message names the sample.
        """
        try:
            return fit_rows(self.table.values(sample), self.rows[sample], self.max_difference)
        except SubmissionError as error:
            raise SubmissionError(f"{sample}: {error}") from error

    def write_texts(self, folder: Path) -> None:
        """Write one text per sample (3rd challenge) and check them.

        Raises:
            SubmissionError: the counts of frames differ too much; the message names the sample.
        """
        for sample in self.predicted:
            lost = self.table.frames(sample) - self.rows[sample]
            if lost > self.max_difference:
                raise SubmissionError(
                    f"{sample}: the list ends {lost} frames before the video, more than "
                    f"{self.max_difference} (max_difference); use rows: video"
                )
            write_submission(folder / f"{sample}.txt", self.values(sample))
        check_submission(folder, self.rows)

    def write_table(self, path: Path) -> None:
        """Write one CSV (6th challenge and later) and check it."""
        if self._listed_rows:
            write_listed_submission(path, self._images(), self.values)
            check_listed_submission(path, self._images())
        else:
            write_image_submission(path, ((s, self.values(s)) for s in self.predicted))
            check_image_submission(path, self.rows)

    def _images(self) -> Iterator[ListedRow]:
        assert self.listed is not None
        return (row for row in read_list(self.listed) if row.sample in self.table)
