"""The table of CCC: one row per model or ensemble, split and target."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from circumplex.evaluation.scores import CccRow
from circumplex.io.atomic import replacing, write_text
from circumplex.io.markdown import markdown_table
from circumplex.io.parquet import describe
from circumplex.targets import TARGETS

SCHEMA = pa.schema(
    [
        describe(name, kind, description, nullable=True)
        for name, kind, description in (
            ("kind", pa.string(), "model or ensemble"),
            ("model", pa.string(), "path of the model's run, or name of the ensemble"),
            ("experiment", pa.string(), "experiment of a model; empty for an ensemble"),
            ("fold", pa.string(), "fold of a model; empty for an ensemble"),
            ("seed", pa.int32(), "seed of a model; -1 for an ensemble"),
            ("split", pa.string(), "part of the data that is scored"),
            ("target", pa.string(), "valence or arousal"),
            ("ccc", pa.float64(), "concordance correlation coefficient over all frames"),
            ("frames", pa.int64(), "number of annotated frames"),
            ("samples", pa.int32(), "number of samples"),
            (
                "clip_ccc",
                pa.float64(),
                "CCC over samples: mean prediction of each against its mean annotation; NaN of one",
            ),
        )
    ]
)

NOTE = (
    "CCC over the concatenation of all annotated frames of the split, smoothed. By clip: over "
    "samples, the mean prediction of each against its mean annotation or its label."
)


def _number(ccc: float) -> str:
    """A CCC as text; a dash for a target that is not annotated."""
    return "–" if math.isnan(ccc) else f"{ccc:.3f}"


class CccTable:
    """Collect scores and write them."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def add(
        self,
        scores: Iterable[CccRow],
        *,
        kind: str,
        experiment: str = "",
        fold: str = "",
        seed: int = -1,
    ) -> None:
        """Add the scores of a model or ensemble, one row per target.

        Args:
            scores: rows from `circumplex.evaluation.scores.evaluate`.
            kind: ``model`` or ``ensemble``.
            experiment: experiment of the model; empty for an ensemble.
            fold: fold of the model; empty for an ensemble.
            seed: seed of the model; -1 for an ensemble.
        """
        for row in scores:
            self._rows.append(
                {
                    "kind": kind,
                    "model": row.model,
                    "experiment": experiment,
                    "fold": fold,
                    "seed": seed,
                    "split": row.split,
                    "target": row.target.value,
                    "ccc": row.ccc,
                    "frames": row.frames,
                    "samples": row.samples,
                    "clip_ccc": row.clip_ccc,
                }
            )

    def write(self, table: Path, csv: Path, markdown: Path) -> None:
        """Write the rows as Parquet, CSV and Markdown (both targets in one row), atomically."""
        rows = pa.Table.from_pylist(self._rows, schema=SCHEMA)
        with replacing(table) as temporary:
            pq.write_table(rows, temporary)
        with replacing(csv) as temporary:
            pa.csv.write_csv(rows, temporary)
        write_text(markdown, self._markdown())

    def _markdown(self) -> str:
        head = ["model", "split", "valence", "arousal", "mean", "samples", "frames"]
        head += [f"{target} by clip" for target in TARGETS]
        cells = []
        by_model: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        for row in self._rows:
            by_model.setdefault((row["model"], row["split"]), {})[row["target"]] = row
        for (model, split), targets in by_model.items():
            found = [targets[name]["ccc"] if name in targets else math.nan for name in TARGETS]
            numbers = [_number(ccc) for ccc in (*found, sum(found) / len(found))]
            by_clip = [
                _number(targets[name]["clip_ccc"] if name in targets else math.nan)
                for name in TARGETS
            ]
            of_one = next(iter(targets.values()))
            cells.append([model, split, *numbers, of_one["samples"], of_one["frames"], *by_clip])
        return "\n".join([*markdown_table(head, cells), "", NOTE, ""])
