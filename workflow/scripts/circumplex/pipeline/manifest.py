"""Manifest: what every number in a table comes from, down to checkpoint, seed, features, weights.

Layout::

    numbers     [{table, row, split, target, ccc, from: {model or ensemble: its CCC}}]
    ensembles   {name: {valence: [run], arousal: [run], ...}}
    models      {run: {experiment, fold, seed, features, checkpoint: {file, sha256}}}
    features    {name: options with weights by digest, and code digest, stage by stage}
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circumplex.evaluation.paper_tables import Line
from circumplex.pipeline.store import read_index


def trained(trace: Mapping[str, Any], indexes: Iterable[str]) -> dict[str, Any]:
    """The trace with each model's checkpoint, as the indexes of ``train_encoder`` name it.

    Args:
        trace: ``models``, ``ensembles`` and ``features`` of the plan.
        indexes: one for each model that the run trained; of the others, an export's and those that
            are pretrained, the trace says all.
    """
    found = dict(trace)
    entries = [entry for path in indexes for entry in read_index(Path(path)).items()]
    if entries:
        checkpoints = {run: {"file": entry.file, "sha256": entry.sha256} for run, entry in entries}
        found["models"] = {
            run: {**model, "checkpoint": checkpoints[run]} if run in checkpoints else model
            for run, model in trace["models"].items()
        }
    return found


def table_numbers(table: str, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Every number of ours in a table, and the units that it is the mean of."""
    return [
        {
            "table": table,
            "row": line.label,
            "split": line.split,
            "target": target,
            "ccc": cell.mean,
            "deviation": cell.deviation,
            "from": {
                unit.name: value
                for units, values in zip(line.replicates, cell.units, strict=True)
                for unit, value in zip(units, values, strict=True)
            },
        }
        for line in lines
        for target, cell in line.cells.items()
    ]


def score_numbers(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every number of the CCC table, which names its model or ensemble itself."""
    return [
        {
            "table": "evaluate/ccc",
            "row": row["model"],
            "split": row["split"],
            "target": row["target"],
            "ccc": row["ccc"],
            "deviation": None,
            "from": {row["model"]: row["ccc"]},
        }
        for row in rows
    ]
