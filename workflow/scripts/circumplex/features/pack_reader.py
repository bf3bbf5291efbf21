"""Read memory-mapped packs of features, segment by segment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from circumplex.errors import RequestError
from circumplex.io.atomic import read_json

BLOCK = 1024
"""Frames read at a time when a whole sample is scanned: few enough for the CPU's caches."""


@dataclass(frozen=True)
class _Place:
    """Position of a sample in a pack."""

    pack: int
    start: int
    frames: int
    present: bool
    digest: str


class PackReader:
    """Read packs: an array of a shard's frames and a JSON index beside it (see `packs`).

    The arrays are memory-mapped and opened on first use, so that the cost of a reader does not
    depend on the number of frames.

    Args:
        index_paths: indexes of the shards by feature; arrays have the same name with ``.npy``.

    Raises:
        RequestError: packs of a feature differ in dimension, or a sample is in two shards.
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

    def dimension(self, feature: str) -> int:
        """Values per frame.

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
