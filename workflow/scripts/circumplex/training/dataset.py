"""Features and annotation for training and prediction: memory-mapped, read by segment."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circumplex.annotations.labels import read_labels_table
from circumplex.features.pack_reader import PackReader
from circumplex.model.normalisation import AnyScaling
from circumplex.training.scalings import SampleScalings
from circumplex.training.segments import Segment


class LabelReader:
    """Annotation of samples, as one array in an unnamed temporary file that is memory-mapped.

    Segments are drawn from all samples in turn: opening a table for each would cost more than
    training, holding all of them would grow with the data.

    Args:
        tables: by sample, its table of labels (``valence``, ``arousal``, ``annotated``).
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
        """Count the rows of the sample's table."""
        return self._frames[sample]

    def digest(self, sample: str) -> str:
        """SHA-256 of the sample's values, in hexadecimal."""
        return self._digest[sample]

    def values(self, sample: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Valence and arousal of some frames.

        Args:
            sample: name.
            start: first frame.
            stop: frame after the last one; none for the end of the sample.

        Returns:
            (frames, 2) float32, NaN where a target is not annotated.
        """
        first = self._start[sample]
        end = self._frames[sample] if stop is None else stop
        return self._values[first + start : first + end]


@dataclass(frozen=True)
class Batch:
    """Segments side by side, padded at the end to the longest.

    Attributes:
        features: (rows, frames, dimension + flags) scaled; zero where padded or the modality is
            absent. A flag, in the order of features, is 1 where the feature is absent, else 0.
        targets: (rows, frames, 2), NaN where padded or a target not annotated; none without
            annotation.
        lengths: (rows,) number of frames of each segment.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32] | None
    lengths: NDArray[np.int64]


class SegmentLoader:
    """Loads batches: the features of a segment side by side, scaled.

    Args:
        reader: packs of the features.
        scalings: chosen features in the order of concatenation, and how each is scaled (none: as
            it is). An absent modality stays zero: it must not look like an extreme value.
        labels: annotation, where batches carry targets.
        groups: by sample, where a feature is scaled by group; see `SampleScalings`.
        flagged: whether batches say which features are absent.

    Attributes:
        dimension: values per frame of all features side by side.
        flags: number of further columns of a batch: one per feature if ``flagged``, else 0.
    """

    def __init__(
        self,
        reader: PackReader,
        scalings: Mapping[str, AnyScaling],
        labels: LabelReader | None = None,
        *,
        groups: Mapping[str, str] | None = None,
        flagged: bool = False,
    ) -> None:
        self._reader = reader
        self._scalings = SampleScalings(reader, scalings, groups or {})
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
        """Read segments as a batch, one piece of a file per segment and feature."""
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
                    scaling = self._scalings.of(sample, feature)
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
        """Name sample, feature and frame of the first value that is not finite, if there is one."""
        for sample, start, stop in segments:
            for feature in self._columns:
                rows = self._reader.features(sample, feature, start, stop)
                wrong = ~np.isfinite(rows).all(axis=1)
                if wrong.any():
                    return f"sample {sample}, {feature}, frame {start + int(np.argmax(wrong))}"
        return None
