"""Score submissions: ``python -m demo.checks.score --truth DIR2 --submission FOLDER ... [--json]``.

Concordance over the concatenation of all annotated frames of all samples, with code of its own:
an independent check of the pipeline's metric.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = "valence,arousal"
NO_LABEL = -5.0
TARGETS = ("valence", "arousal")


class ScoreError(Exception):
    """A submission that cannot be scored."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--submission", type=Path, nargs="+", required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        scores = {path.name: score(arguments.truth, path) for path in arguments.submission}
    except ScoreError as error:
        raise SystemExit(f"refused: {error}") from error
    if arguments.json:
        print(json.dumps(scores))
        return
    print("CCC on the withheld test annotations")
    for name, values in scores.items():
        print("\t".join([name, *(f"{target} {value:.3f}" for target, value in values.items())]))


def score(truth: Path, submission: Path) -> dict[str, float]:
    """CCC of valence, arousal, and their mean; one text a sample in both folders.

    Raises:
        ScoreError: no truth, a sample missing from the submission, a file with another header or
            another number of rows than the truth, or a value that is no number in [-1, 1].
    """
    wanted = sorted(truth.glob("*.txt"))
    if not wanted:
        raise ScoreError(f"{truth} holds no truth")
    true, predicted = [], []
    for path in wanted:
        expected = read_rows(path)
        answer = submission / path.name
        if not answer.is_file():
            raise ScoreError(f"{path.stem} is missing from {submission}")
        given = read_rows(answer)
        if len(given) != len(expected):
            raise ScoreError(f"{path.stem}: {len(given)} rows, expected {len(expected)}")
        labelled = (expected != NO_LABEL).all(axis=1)
        if not (np.abs(given) <= 1).all():  # also refuses NaN
            raise ScoreError(f"{path.stem}: a value is not in [-1, 1]")
        true.append(expected[labelled])
        predicted.append(given[labelled])
    y, x = np.concatenate(true), np.concatenate(predicted)
    scores = {name: ccc(y[:, i], x[:, i]) for i, name in enumerate(TARGETS)}
    return {**scores, "mean": sum(scores.values()) / len(scores)}


def read_rows(path: Path) -> NDArray[np.float64]:
    """Values (rows, 2) below the header.

    Raises:
        ScoreError: another header, or rows that are not two numbers.
    """
    header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    if header.strip() != HEADER:
        raise ScoreError(f"{path}: the first line is {header!r}, expected {HEADER!r}")
    try:
        rows = [[float(cell) for cell in line.split(",")] for line in lines]
    except ValueError as error:
        raise ScoreError(f"{path}: {error}") from error
    if any(len(row) != len(TARGETS) for row in rows):
        raise ScoreError(f"{path}: a row does not hold two values")
    return np.array(rows, dtype=float).reshape(-1, len(TARGETS))


def ccc(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> float:
    """Concordance correlation coefficient, population moments; 0 if both are constant."""
    covariance = ((truth - truth.mean()) * (prediction - prediction.mean())).mean()
    spread = truth.var() + prediction.var() + (truth.mean() - prediction.mean()) ** 2
    return float(2 * covariance / spread) if spread > 0 else 0.0


if __name__ == "__main__":
    main()
