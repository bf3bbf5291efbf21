"""Packs and label tables small enough for unit tests, in the contracts' own form."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from circumplex.features.pack_reader import PackReader
from circumplex.io.atomic import write_json
from circumplex.io.parquet import TableWriter, frame_schema
from circumplex.training.dataset import LabelReader

Features = Mapping[str, NDArray[np.floating] | None]


def write_pack(folder: Path, feature: str, samples: Features, frames: Mapping[str, int]) -> Path:
    """Write a pack; a sample with no array lacks the modality."""
    dimension = next(x.shape[1] for x in samples.values() if x is not None)
    dtype = next(x.dtype for x in samples.values() if x is not None)
    rows, entries, start = [], {}, 0
    for name, values in samples.items():
        present = values is not None
        values = values if present else np.zeros((frames[name], dimension), dtype)
        entries[name] = {
            "start": start,
            "frames": len(values),
            "present": present,
            "sha256": str(hash(values.tobytes())),
        }
        rows.append(values)
        start += len(values)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "shard.npy", np.concatenate(rows))
    index = {"feature": feature, "dimension": dimension, "dtype": str(dtype), "samples": entries}
    write_json(folder / "shard.json", index)
    return folder / "shard.json"


def write_labels(path: Path, values: NDArray[np.floating], rate: float = 30) -> Path:
    """Write a labels table; a NaN is not annotated."""
    columns = [pa.field("valence", pa.float32()), pa.field("arousal", pa.float32())]
    schema = frame_schema(*columns, pa.field("annotated", pa.bool_()))
    with TableWriter(path, schema, {}) as table:
        table.write(
            frame=np.arange(len(values)),
            time_s=np.arange(len(values)) / rate,
            valence=values[:, 0],
            arousal=values[:, 1],
            annotated=~np.isnan(values).all(axis=1),
        )
    return path


class SyntheticData:
    """Samples whose features hold valence and arousal under noise: half in each modality."""

    def __init__(self, folder: Path, lengths: Mapping[str, int], noise: float = 0.3) -> None:
        draw = np.random.default_rng(1)
        mixing = {name: draw.normal(size=(2, 6)) for name in ("face", "voice")}
        self.lengths = dict(lengths)
        self.labels: dict[str, NDArray[np.float32]] = {}
        self.features: dict[str, dict[str, NDArray[np.float32] | None]] = {"face": {}, "voice": {}}
        for name, frames in lengths.items():
            time = np.arange(frames)[:, None] / 30
            values = np.sin(time * draw.uniform(1, 4, size=2) + draw.uniform(0, 6, size=2))
            self.labels[name] = (0.8 * values).astype(np.float32)
            for feature, matrix in mixing.items():
                clean = self.labels[name] @ matrix + 3
                noisy = clean + noise * draw.normal(size=clean.shape)
                self.features[feature][name] = noisy.astype(np.float32)
        self.folder = folder

    def readers(self) -> tuple[PackReader, LabelReader]:
        """Write everything and open it."""
        packs = {
            feature: [write_pack(self.folder / feature, feature, of, self.lengths)]
            for feature, of in self.features.items()
        }
        tables = {
            name: write_labels(self.folder / f"{name}.parquet", values)
            for name, values in self.labels.items()
        }
        return PackReader(packs), LabelReader(tables)
