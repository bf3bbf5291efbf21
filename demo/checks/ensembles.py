"""Are ensembles worth it? ``python -m demo.checks.ensembles --truth DIR --results DIR``.

Scores every ensemble of a finished run, and each of its models, on the withheld test annotations.
Members come from the run's manifest, which follows from the config: they are fixed before anything
is scored. For each target an ensemble must reach at least the mean of its members, and at least
its best member minus 0.01.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from demo.checks.score import NO_LABEL, TARGETS, ScoreError, ccc, read_rows

MARGIN = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        ensembles = read_ensembles(arguments.results)
        holds = [report(arguments.truth, arguments.results, *each) for each in ensembles.items()]
    except ScoreError as error:
        raise SystemExit(f"refused: {error}") from error
    print("all hold" if all(holds) else "DOES NOT HOLD")
    sys.exit(not all(holds))


def read_ensembles(results: Path) -> dict[str, Mapping[str, Sequence[str]]]:
    """Models of each ensemble by target, from the run's manifest.

    Raises:
        ScoreError: no ensemble there.
    """
    path = results / "manifest.json"
    if not path.is_file():
        raise ScoreError(f"there is no manifest in {results}: finish the run")
    found: dict[str, Mapping[str, Sequence[str]]]
    found = json.loads(path.read_text(encoding="utf-8"))["ensembles"]
    return found


def report(truth: Path, results: Path, name: str, members: Mapping[str, Sequence[str]]) -> bool:
    """Print an ensemble and its members on the withheld test; whether it holds for both."""
    print(f"{name}: CCC on the withheld test annotations")
    holds = True
    for column, target in enumerate(TARGETS):
        scores = {
            model: score_table(truth, results / f"smooth_predictions/{model}.parquet", column)
            for model in members[target]
        }
        ensemble = score_table(truth, results / f"ensemble_predictions/{name}.parquet", column)
        mean, best = float(np.mean([*scores.values()])), max(scores.values())
        good = ensemble >= mean and ensemble >= best - MARGIN
        print(
            f"  {target}\tensemble {ensemble:.3f}\tmean of members {mean:.3f}\tbest {best:.3f}",
            end="",
        )
        print("\tholds" if good else "\tDOES NOT HOLD")
        for model, value in scores.items():
            print(f"    {value:.3f}\t{model}")
        holds &= good
    return holds


def score_table(truth: Path, predictions: Path, column: int) -> float:
    """CCC of one target, 0 valence or 1 arousal, over all annotated frames of all withheld samples.

    Raises:
        ScoreError: no truth, or a sample that has no prediction or another number of frames.
    """
    table = pq.read_table(predictions, columns=["sample", TARGETS[column]])
    true, predicted = [], []
    for path in sorted(truth.glob("*.txt")):
        expected = read_rows(path)
        given = table.filter(pc.equal(table["sample"], path.stem))[TARGETS[column]].to_numpy()
        if len(given) != len(expected):
            raise ScoreError(f"{predictions}: {path.stem}: {len(given)} of {len(expected)} frames")
        labelled = (expected != NO_LABEL).all(axis=1)
        true.append(expected[labelled, column])
        predicted.append(given[labelled])
    if not true:
        raise ScoreError(f"{truth} holds no truth")
    return ccc(np.concatenate(true), np.concatenate(predicted))


if __name__ == "__main__":
    main()
