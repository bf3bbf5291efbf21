"""The table of CCC: a row for each model or ensemble, split and target."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from circumplex.evaluation.scores import CccRow
from circumplex.io.atomic import replacing, write_text

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("model", pa.string()),
        ("experiment", pa.string()),
        ("fold", pa.string()),
        ("seed", pa.int32()),
        ("split", pa.string()),
        ("target", pa.string()),
        ("ccc", pa.float64()),
        ("frames", pa.int64()),
        ("samples", pa.int32()),
    ]
)


class CccTable:
    """Collects scores and writes them."""

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
        """Add the scores of a model or ensemble, a row for each target.

        Args:
            scores: from `evaluation.evaluate`.
            kind: ``model`` or ``ensemble``.
            experiment: of a model.
            fold: of a model.
            seed: of a model, or -1.
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
                }
            )

    def write(self, table: Path, csv: Path, markdown: Path) -> None:
        """Write the rows as Parquet and CSV, and side by side for the targets as Markdown."""
        rows = pa.Table.from_pylist(self._rows, schema=SCHEMA)
        with replacing(table) as temporary:
            pq.write_table(rows, temporary)
        with replacing(csv) as temporary:
            pa.csv.write_csv(rows, temporary)
        write_text(markdown, self._markdown())

    def _markdown(self) -> str:
        lines = [
            "| model | split | valence | arousal | mean | samples | frames |",
            "|---|---|---|---|---|---|---|",
        ]
        by_model: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        for row in self._rows:
            by_model.setdefault((row["model"], row["split"]), {})[row["target"]] = row
        for (model, split), targets in by_model.items():
            valence, arousal = targets["valence"], targets["arousal"]
            mean = (valence["ccc"] + arousal["ccc"]) / 2
            numbers = f"{valence['ccc']:.3f} | {arousal['ccc']:.3f} | {mean:.3f}"
            counts = f"{valence['samples']} | {valence['frames']}"
            lines.append(f"| {model} | {split} | {numbers} | {counts} |")
        note = "CCC over the concatenation of all annotated frames of the split, smoothed."
        return "\n".join([*lines, "", note, ""])
