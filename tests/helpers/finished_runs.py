"""Results folders as `circumplex compare` reads them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from circumplex.io.atomic import write_json
from circumplex.pipeline.store import Entry, Status, write_index
from synthetic_report import Corpus

SPLITS = {"a": "val", "b": "val", "c": "test", "d": "train"}


def write_run(
    results: Path,
    shift: float = 0.0,
    *,
    requests: bool = True,
    names: Sequence[str] = tuple(SPLITS),
    window: int = 20,
) -> Path:
    """Write a finished run: an ensemble and a model, scored on val and test.

    Args:
        results: results folder.
        shift: what the predictions lie above those of another run.
        requests: whether it is on record what was asked for.
        names: names of its samples.
        window: smoothing window of valence that it is asked for.
    """
    corpus = Corpus(results / "data")
    for name in names:
        corpus.add(name, frames=60)
    entries = {
        sample.name: Entry(Status.OK, str(sample.labels.relative_to(results)))
        for sample in corpus.samples
        if sample.labels is not None
    }
    write_index(results / "index/read_labels/000-of-001.json", entries)
    places = ("ensemble_predictions/main.parquet", "smooth_predictions/x/official/seed0.parquet")
    for place in places:
        (results / place).parent.mkdir(parents=True)
        shutil.copy(corpus.ensemble("main", list(names), shift), results / place)
    rows = [
        {"kind": kind, "model": model, "split": split}
        for kind, model in (("ensemble", "main"), ("model", "x/official/seed0"))
        for split in ("val", "test")
    ]
    (results / "evaluate").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), results / "evaluate/ccc.parquet")
    if requests:
        splits = {name: SPLITS.get(name, "val") for name in names}
        scored = {"runs": [["x", "official", 0, "official"]], "ensembles": {"main": ["official"]}}
        evaluation = {"stage": "evaluate", "splits": splits, **scored}
        write_json(results / "requests/evaluate/all.json", evaluation)
        asked = {"stage": "smooth_predictions", "smoothing": {"valence": window}}
        write_json(results / "requests/smooth_predictions/x/official/seed0.json", asked)
    return results
