"""Features and annotation as training and prediction read them: memory-mapped, by segment."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.errors import RequestError
from circumplex.files import read_json
from circumplex.labels import read_labels_table
from circumplex.normalisation import Scaling
from circumplex.segments import Segment

BLOCK = 1024
"""Frames read at a time where a whole sample is passed over: few enough for the CPU's caches."""


@dataclass(frozen=True)
class _Place:
    """Where a sample lies in a pack."""

    pack: int
    start: int
    frames: int
    present: bool
    digest: str


class PackReader:
    """Reads packs: an array of a shard's frames and a JSON index beside it (see `packs`).

    The arrays are memory-mapped and opened when first read, so a reader costs what its indexes
    cost, however many frames there are.

    Args:
        index_paths: indexes of the shards, by feature; the array has the same name, ``.npy``.

    Raises:
        RequestError: packs of one feature that differ in dimension, a sample in two shards.
    """

    def __init__(self, index_paths: Mapping[str, Sequence[Path]]) -> None:
        self._arrays: list[Path] = []
        self._open: dict[int, NDArray[np.floating]] = {}
        self._places: dict[str, dict[str, _Place]] = {}
        self._dimensions: dict[str, int] = {}
        for feature, paths in index_paths.items():
            places = self._places.setdefault(feature, {})
            for path in paths:
                index = read_json(path)
                dimension = self._dimensions.setdefault(feature, index["dimension"])
                if dimension != index["dimension"]:
                    raise RequestError(
                        f"packs of {feature} have {dimension} and {index['dimension']} dimensions"
                    )
                for sample, entry in index["samples"].items():
                    if sample in places:
                        raise RequestError(f"sample {sample} is in two packs of {feature}")
                    places[sample] = _Place(
                        len(self._arrays),
                        entry["start"],
                        entry["frames"],
                        entry["present"],
                        entry["sha256"],
                    )
                self._arrays.append(path.with_suffix(".npy"))

    @property
    def features_available(self) -> list[str]:
        """Features that have packs."""
        return list(self._places)

    def dimension(self, feature: str) -> int:
        """Values a frame.

        Raises:
            RequestError: no pack of the feature.
        """
        if feature not in self._dimensions:
            known = ", ".join(self._dimensions) or "none"
            raise RequestError(f"there is no pack of feature {feature!r}; packed: {known}")
        return self._dimensions[feature]

    def frames(self, sample: str) -> int:
        """Video frames of a sample.

        Raises:
            RequestError: in no pack, or packed with other numbers of frames.
        """
        counts = {p[sample].frames for p in self._places.values() if sample in p}
        if len(counts) != 1:
            raise RequestError(
                f"sample {sample} is in no pack"
                if not counts
                else f"sample {sample} is packed with different numbers of frames: {counts}"
            )
        return counts.pop()

    def packed(self, sample: str, features: Iterable[str]) -> bool:
        """Whether the sample is in the packs of all these features: it failed in no stage."""
        return all(sample in self._places[feature] for feature in features)

    def present(self, sample: str, feature: str) -> bool:
        """Whether the sample has the modality; if not, its features are zeros."""
        return self._place(sample, feature).present

    def complete(self, sample: str, features: Iterable[str]) -> bool:
        """Whether the sample has the modalities of all these features."""
        return all(self.present(sample, feature) for feature in features)

    def digest(self, sample: str, feature: str) -> str:
        """SHA-256 of the sample's rows; marked where they stand for an absent modality."""
        place = self._place(sample, feature)
        return place.digest if place.present else f"absent:{place.digest}"

    def features(self, sample: str, feature: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of frames ``start`` to ``stop``: (stop - start, dimension).

        One piece of the mapped file; read-only where it is stored as float32.

        Raises:
            RequestError: no such sample or feature.
            ValueError: frames outside the sample, or an array that is not what its index says.
        """
        # Read for every segment and feature: what Python does here counts beside the bytes.
        try:
            place = self._places[feature][sample]
        except KeyError:
            place = self._place(sample, feature)  # says which of the two is missing
        if not 0 <= start <= stop <= place.frames:
            raise ValueError(f"{sample} has {place.frames} frames, asked for {start} to {stop}")
        array = self._open.get(place.pack)
        if array is None:
            # Copy on write: PyTorch takes no read-only array.
            array = np.load(self._arrays[place.pack], mmap_mode="c", allow_pickle=False)
            if array.ndim != 2 or array.shape[1] != self._dimensions[feature]:
                raise ValueError(f"{self._arrays[place.pack]}: shape {array.shape}")
            self._open[place.pack] = array = array.view(np.ndarray)
        rows = array[place.start + start : place.start + stop]
        if len(rows) != stop - start:
            raise ValueError(f"{self._arrays[place.pack]} is shorter than its index says")
        if rows.itemsize == 4:  # stored as float32
            rows.flags.writeable = False
            return rows
        # PyTorch's conversion from float16 is ten times as fast as NumPy's.
        converted: NDArray[np.float32] = torch.from_numpy(rows).float().numpy()
        return converted

    def blocks(self, sample: str, feature: str) -> Iterator[NDArray[np.float32]]:
        """All rows of a sample, at most `BLOCK` frames at a time."""
        frames = self._place(sample, feature).frames
        for start in range(0, frames, BLOCK):
            yield self.features(sample, feature, start, min(start + BLOCK, frames))

    def _place(self, sample: str, feature: str) -> _Place:
        self.dimension(feature)
        place = self._places[feature].get(sample)
        if place is None:
            raise RequestError(f"sample {sample} is not in the packs of {feature}")
        return place


class LabelReader:
    """Annotation of samples, as one array in an unnamed temporary file that is memory-mapped.

    Segments are drawn from all samples in turn: opening a table for each would cost more than
    training, holding all of them would grow with the data.

    Args:
        tables: labels table (``valence``, ``arousal``, ``annotated``) of each sample.
    """

    def __init__(self, tables: Mapping[str, Path]) -> None:
        self._start: dict[str, int] = {}
        self._frames: dict[str, int] = {}
        self._digest: dict[str, str] = {}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the mapping
        total = 0
        for sample, path in tables.items():
            values = read_labels_table(path)
            self._file.write(values.tobytes())
            self._digest[sample] = hashlib.sha256(values.tobytes()).hexdigest()
            self._start[sample], self._frames[sample] = total, len(values)
            total += len(values)
        self._file.flush()
        self._total = total

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        return np.memmap(self._file, dtype=np.float32, mode="r", shape=(self._total, 2))

    def frames(self, sample: str) -> int:
        """Rows of the sample's table."""
        return self._frames[sample]

    def digest(self, sample: str) -> str:
        """SHA-256 of the sample's values."""
        return self._digest[sample]

    def values(self, sample: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """(frames, 2) valence and arousal, NaN in both where a frame is not annotated."""
        first = self._start[sample]
        end = self._frames[sample] if stop is None else stop
        return self._values[first + start : first + end]


@dataclass(frozen=True)
class Batch:
    """Segments side by side, padded at the end to the longest.

    Attributes:
        features: (rows, frames, dimension + flags) scaled; zero where padded or the modality is
            absent. A flag, in the order of features, is 1 where the feature is absent, else 0.
        targets: (rows, frames, 2), NaN where padded or not annotated; none without annotation.
        lengths: (rows,) frames of each segment.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32] | None
    lengths: NDArray[np.int64]


class SegmentLoader:
    """Loads batches: the features of a segment side by side, scaled.

    Args:
        reader: of the packs.
        scalings: chosen features in the order of concatenation, and how each is scaled (none: as
            it is). An absent modality stays zero: it must not look like an extreme value.
        labels: annotation, where batches carry targets.
        flagged: whether batches say which features are absent.

    Attributes:
        dimension: of the features side by side.
        flags: further columns of a batch: one a feature if ``flagged``, else 0.
    """

    def __init__(
        self,
        reader: PackReader,
        scalings: Mapping[str, Scaling | None],
        labels: LabelReader | None = None,
        *,
        flagged: bool = False,
    ) -> None:
        self._reader = reader
        self._scalings = dict(scalings)
        self._labels = labels
        self._columns: dict[str, slice] = {}
        end = 0
        for feature in scalings:
            begin, end = end, end + reader.dimension(feature)
            self._columns[feature] = slice(begin, end)
        self.dimension = end
        self.flags = len(self._columns) if flagged else 0

    def frames(self, sample: str) -> int:
        """Video frames of a sample."""
        return self._reader.frames(sample)

    def load(self, segments: Sequence[Segment]) -> Batch:
        """Read segments, one piece of the file a segment and feature."""
        lengths = np.array([segment.stop - segment.start for segment in segments])
        shape = (len(segments), int(lengths.max()))
        features = np.zeros((*shape, self.dimension + self.flags), dtype=np.float32)
        for row, (sample, start, stop) in enumerate(segments):
            for number, (feature, columns) in enumerate(self._columns.items()):
                if not self._reader.present(sample, feature):
                    if self.flags:
                        features[row, : stop - start, self.dimension + number] = 1
                else:
                    raw = self._reader.features(sample, feature, start, stop)
                    out = features[row, : stop - start, columns]
                    scaling = self._scalings[feature]
                    if scaling is None:
                        out[:] = raw
                    else:
                        scaling.apply(raw, out)
        if self._labels is None:
            return Batch(features, None, lengths)
        targets = np.full((*shape, 2), np.nan, dtype=np.float32)
        for row, (sample, start, stop) in enumerate(segments):
            targets[row, : stop - start] = self._labels.values(sample, start, stop)
        return Batch(features, targets, lengths)

    def describe_defect(self, segments: Sequence[Segment]) -> str | None:
        """Sample, feature and frame of the first value that is not finite, if there is one."""
        for sample, start, stop in segments:
            for feature in self._columns:
                rows = self._reader.features(sample, feature, start, stop)
                wrong = ~np.isfinite(rows).all(axis=1)
                if wrong.any():
                    return f"sample {sample}, {feature}, frame {start + int(np.argmax(wrong))}"
        return None
