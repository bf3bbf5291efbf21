"""Look for leaks: ``python -m demo.checks.leaks --corpus DIR --truth DIR2 --results RESULTS``.

What must not say valence and arousal is tried as their only predictor: the face's place and size
in the frame, and the means of each sample's features. A ridge regression from the train split,
its penalty chosen on the validation split, must stay below 0.3 CCC on the test split.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from demo.checks.score import NO_LABEL, TARGETS, ccc, read_rows

Matrix = NDArray[np.float64]

LIMIT = 0.3
PENALTIES = 10.0 ** np.arange(-1, 7)
KEYS = ("frame", "time_s")


@dataclass(frozen=True)
class Row:
    """A sample and its labels (frames, 2)."""

    sample: str
    split: str
    labels: Matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    arguments = parser.parse_args()
    found = find_leaks(arguments.corpus, arguments.truth, arguments.results)
    print("predictor\t" + "\t".join(TARGETS))
    for name, scores in found.items():
        print(f"{name}\t" + "\t".join(f"{value:.3f}" for value in scores))
    if max(value for scores in found.values() for value in scores) >= LIMIT:
        print(f"leak: at least {LIMIT}", file=sys.stderr)
        sys.exit(1)


def find_leaks(corpus: Path, truth: Path, results: Path) -> dict[str, tuple[float, ...]]:
    """Test CCC of each target, for each predictor that should know nothing."""
    rows = list(read_corpus(corpus, truth))
    return {
        "face box": evaluate(rows, lambda row: face_boxes(results, row)),
        "feature means": evaluate(rows, lambda row: feature_means(results, row)),
    }


def read_corpus(corpus: Path, truth: Path) -> Iterator[Row]:
    """Every sample with its labels, those of the test split from the truth's folder."""
    with (corpus / "samples.tsv").open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file, delimiter="\t"):
            name, annotation = cells["sample"], cells["annotation"]
            path = corpus / annotation if annotation else truth / f"{name}.txt"
            yield Row(name, cells["split"], read_rows(path))


def face_boxes(results: Path, row: Row) -> Matrix:
    """Centre, width and height of the face in each frame; without one, the nearest frame's."""
    table = pq.read_table(
        results / "align_faces" / f"{row.sample}.parquet", columns=["frame", "valid", "box"]
    ).sort_by("frame")
    valid = np.flatnonzero(np.asarray(table["valid"].to_numpy(zero_copy_only=False), bool))
    if not len(valid):
        return np.zeros((table.num_rows, 4))
    after = np.searchsorted(valid, np.arange(table.num_rows)).clip(0, len(valid) - 1)
    before = (after - 1).clip(0)
    here = np.arange(table.num_rows)
    closer = np.abs(valid[before] - here) <= np.abs(valid[after] - here)
    boxes = np.array(table["box"].take(valid).to_pylist(), float)
    x0, y0, x1, y1 = boxes[np.where(closer, before, after)].T
    return np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], axis=1)


def feature_means(results: Path, row: Row) -> Matrix:
    """Mean of each feature over the sample, the same in all frames; 0 for absent features."""
    means = []
    for folder in sorted(results.glob("extract_*")):
        feature = folder.name.removeprefix("extract_")
        tables = sorted(folder.glob("*.parquet"))
        if not tables or feature not in pq.read_schema(tables[0]).names:
            continue
        dimension = pq.read_schema(tables[0]).field(feature).type.list_size
        path = folder / f"{row.sample}.parquet"
        values = (
            vectors(pq.read_table(path, columns=[feature])[feature])
            if path.is_file()
            else np.zeros((0, dimension))
        )
        means.append(values.mean(axis=0) if len(values) else np.zeros(dimension))
    if not means:
        raise SystemExit(f"no table with a feature under {results}/extract_*")
    return np.tile(np.concatenate(means), (len(row.labels), 1))


def vectors(column: pa.ChunkedArray) -> Matrix:
    """A fixed-size-list column as (rows, dimension); a null becomes NaN."""
    array = column.combine_chunks()
    flat = pa.array([], array.type.value_type) if not len(array) else array.values
    values = np.asarray(flat.to_numpy(zero_copy_only=False), float)
    return values.reshape(-1, array.type.list_size)[array.offset : array.offset + len(array)]


def evaluate(rows: list[Row], predictors: Callable[[Row], Matrix]) -> tuple[float, ...]:
    """Test CCC of each target by ridge regression, penalty chosen by validation CCC."""
    data: dict[str, tuple[Matrix, Matrix]] = {}
    for split in ("train", "val", "test"):
        inputs, labels = [], []
        for row in rows:
            if row.split == split:
                x = predictors(row)
                frames = min(len(x), len(row.labels))  # an annotation may have rows to spare
                kept = (row.labels[:frames] != NO_LABEL).all(axis=1)
                inputs.append(x[:frames][kept])
                labels.append(row.labels[:frames][kept])
        data[split] = np.concatenate(inputs), np.concatenate(labels)
    x, y = data["train"]
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1.0
    normal = {split: (values - centre) / spread for split, (values, _) in data.items()}
    # One decomposition serves all penalties.
    left, sizes, right = np.linalg.svd(normal["train"], full_matrices=False)
    rotated = left.T @ (y - y.mean(axis=0))

    scores = []
    for i in range(y.shape[1]):
        best = (-np.inf, 0.0)
        for penalty in PENALTIES:
            weights = right.T @ (sizes / (sizes**2 + penalty) * rotated[:, i])
            guess = {s: np.clip(normal[s] @ weights + y[:, i].mean(), -1, 1) for s in data}
            chosen, tested = (ccc(data[s][1][:, i], guess[s]) for s in ("val", "test"))
            if chosen > best[0]:
                best = (chosen, tested)
        scores.append(best[1])
    return tuple(scores)


if __name__ == "__main__":
    main()
